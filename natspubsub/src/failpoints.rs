//! Faults on purpose, for the tests of this project: only with the feature `failpoints`, else nothing of it is left.
//!
//! `NATSPUBSUB_FAILPOINTS="after_deliver=sleep:100ms,before_answer=abort@0.1"` makes a program sleep or die at a point,
//! always or with a probability. `NATSPUBSUB_SABOTAGE=ack_before_handler` builds in one of the mistakes that the tests
//! must notice.

/// Where a program may be made to sleep or die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// A delivery was taken into hand.
    AfterDeliver,
    /// The handler has ended; nothing is answered yet.
    AfterHandlerBeforeAck,
    /// The dead letter is stored; the original is not ended yet.
    AfterDlqPublishBeforeTerm,
    /// An answer is about to be sent.
    BeforeAnswer,
    /// The drain has stopped pulling.
    ShutdownAfterStopPull,
    /// A handler's transaction is about to be committed, or its handling to be finished.
    BeforeCommit,
    /// A handler's transaction is committed, or its handling finished; its message is not acknowledged yet.
    AfterCommitBeforeAck,
    /// A relay has claimed messages; none is published yet.
    RelayAfterClaim,
    /// The stream has confirmed messages of a relay; that is not written down yet.
    RelayAfterPublishBeforeSettle,
}

/// A mistake that the tests must notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// Acknowledge a delivery before its handler runs.
    AckBeforeHandler,
    /// Exit without flushing acknowledgements.
    NoFlushOnExit,
    /// End the original before its dead letter is confirmed.
    TermBeforeDeadLetter,
    /// End the original although its dead letter could not be stored.
    IgnoreDeadLetterError,
    /// Send a NAK although the server has delivered the message again.
    NakAfterDeadline,
    /// Ask for messages without a limit.
    UnlimitedPrefetch,
    /// Treat an unknown error as permanent.
    DefaultPermanent,
    /// Tell the publisher that a message is stored although nobody knows.
    UnknownIsStored,
    /// Mark a message as handled in a transaction of its own.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    InboxInSeparateTransaction,
    /// Read the outbox by a cursor that only moves on.
    CursorRelay,
    /// Publish without a message id.
    NoMessageId,
    /// Go on publishing and writing although another relay leads by now.
    UnfencedRelay,
}

#[cfg(not(feature = "failpoints"))]
mod armed {
    use super::{Point, Sabotage};

    pub(crate) async fn reached(_: Point) {}

    pub(crate) const fn is_set(_: Point) -> bool {
        false
    }

    pub(crate) const fn sabotaged(_: Sabotage) -> bool {
        false
    }
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::str::FromStr;
    use std::sync::LazyLock;
    use std::time::Duration;

    use super::{Point, Sabotage};

    #[derive(Debug, Clone, PartialEq)]
    enum Action {
        Sleep(Duration),
        Abort,
    }

    #[derive(Debug, Clone, PartialEq)]
    struct Failpoint {
        point: Point,
        action: Action,
        probability: f64,
    }

    static FAILPOINTS: LazyLock<Vec<Failpoint>> = LazyLock::new(|| {
        let text = std::env::var("NATSPUBSUB_FAILPOINTS").unwrap_or_default();
        let read =
            |part: &str| part.parse().unwrap_or_else(|()| panic!("NATSPUBSUB_FAILPOINTS: {part:?} is no failpoint"));
        text.split(',').filter(|part| !part.is_empty()).map(read).collect()
    });

    static SABOTAGE: LazyLock<Option<Sabotage>> = LazyLock::new(|| {
        let text = std::env::var("NATSPUBSUB_SABOTAGE").ok().filter(|text| !text.is_empty())?;
        Some(text.parse().unwrap_or_else(|()| panic!("NATSPUBSUB_SABOTAGE: {text:?} is no sabotage")))
    });

    /// Whether the environment says that something happens there.
    pub(crate) fn is_set(point: Point) -> bool {
        FAILPOINTS.iter().any(|failpoint| failpoint.point == point)
    }

    /// Sleeps or dies, if the environment says so.
    pub(crate) async fn reached(point: Point) {
        for failpoint in FAILPOINTS.iter().filter(|failpoint| failpoint.point == point) {
            if rand::random::<f64>() >= failpoint.probability {
                continue;
            }
            match failpoint.action {
                Action::Sleep(duration) => tokio::time::sleep(duration).await,
                Action::Abort => std::process::abort(),
            }
        }
    }

    /// Whether the environment asks for this mistake.
    pub(crate) fn sabotaged(what: Sabotage) -> bool {
        *SABOTAGE == Some(what)
    }

    impl FromStr for Failpoint {
        type Err = ();

        fn from_str(text: &str) -> Result<Self, ()> {
            let (point, rest) = text.split_once('=').ok_or(())?;
            let (action, probability) = rest.split_once('@').unwrap_or((rest, "1"));
            let action = match action.split_once(':') {
                None if action == "abort" => Action::Abort,
                Some(("sleep", time)) => Action::Sleep(natspubsub_grammar::parse_duration(time).map_err(|_| ())?),
                _ => return Err(()),
            };
            Ok(Self { point: point.parse()?, action, probability: probability.parse().map_err(|_| ())? })
        }
    }

    impl FromStr for Point {
        type Err = ();

        fn from_str(text: &str) -> Result<Self, ()> {
            Ok(match text {
                "after_deliver" => Self::AfterDeliver,
                "after_handler_before_ack" => Self::AfterHandlerBeforeAck,
                "after_dlq_publish_before_term" => Self::AfterDlqPublishBeforeTerm,
                "before_answer" => Self::BeforeAnswer,
                "shutdown_after_stop_pull" => Self::ShutdownAfterStopPull,
                "before_commit" => Self::BeforeCommit,
                "after_commit_before_ack" => Self::AfterCommitBeforeAck,
                "relay_after_claim" => Self::RelayAfterClaim,
                "relay_after_publish_before_settle" => Self::RelayAfterPublishBeforeSettle,
                _ => return Err(()),
            })
        }
    }

    impl FromStr for Sabotage {
        type Err = ();

        fn from_str(text: &str) -> Result<Self, ()> {
            Ok(match text {
                "ack_before_handler" => Self::AckBeforeHandler,
                "no_flush_on_exit" => Self::NoFlushOnExit,
                "term_before_dead_letter" => Self::TermBeforeDeadLetter,
                "ignore_dead_letter_error" => Self::IgnoreDeadLetterError,
                "nak_after_deadline" => Self::NakAfterDeadline,
                "unlimited_prefetch" => Self::UnlimitedPrefetch,
                "default_permanent" => Self::DefaultPermanent,
                "unknown_is_stored" => Self::UnknownIsStored,
                #[cfg(any(feature = "postgres", feature = "sqlite"))]
                "inbox_in_separate_transaction" => Self::InboxInSeparateTransaction,
                "cursor_relay" => Self::CursorRelay,
                "no_message_id" => Self::NoMessageId,
                "unfenced_relay" => Self::UnfencedRelay,
                _ => return Err(()),
            })
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_failpoint_has_a_point_an_action_and_perhaps_a_probability() {
            let wanted = Failpoint { point: Point::BeforeAnswer, action: Action::Abort, probability: 0.5 };
            assert_eq!("before_answer=abort@0.5".parse(), Ok(wanted));
            let wanted = Failpoint {
                point: Point::AfterDeliver,
                action: Action::Sleep(Duration::from_millis(100)),
                probability: 1.0,
            };
            assert_eq!("after_deliver=sleep:100ms".parse(), Ok(wanted));
            for text in ["", "before_answer", "nowhere=abort", "before_answer=laugh", "before_answer=abort@x"] {
                assert_eq!(text.parse::<Failpoint>(), Err(()), "{text:?}");
            }
        }
    }
}

pub(crate) use armed::{is_set, reached, sabotaged};
