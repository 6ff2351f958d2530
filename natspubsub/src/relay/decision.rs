//! What the answer to a message means for it, and for those behind it. Pure.

use std::time::Duration;

use super::patience::retry_pause;
use crate::config::PUBLISH_PAUSE;
use crate::subject::Namespace;
use crate::transport::{PublishFault, Stored};

/// What becomes of a message that was handed to the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is stored.
    Sent { duplicate: bool },
    /// It is tried again, and those behind it in its key wait for it.
    Retry { after: Duration, error: String, counted: bool },
    /// It is tried again, and all others wait too: what failed is not about this message.
    Pause { error: String },
    /// Nothing will help.
    Failed { error: String },
}

/// What a decision goes by besides the answer.
pub(super) struct Case<'a> {
    pub(super) subject: &'a str,
    /// How often it failed before.
    pub(super) attempts: u32,
    pub(super) attempts_max: u32,
    pub(super) own: &'a Namespace,
    pub(super) is_connected: bool,
}

/// What becomes of a message.
pub(super) fn decide(answer: Result<Stored, PublishFault>, case: &Case<'_>) -> Decision {
    let pause = |error: String| Decision::Pause { error };
    match answer {
        Ok(stored) => Decision::Sent { duplicate: stored.duplicate },
        Err(PublishFault::Unknown(reason)) => Decision::Retry {
            after: PUBLISH_PAUSE,
            error: format!("{reason}; it may be stored, and is sent again with the same message id"),
            counted: false,
        },
        Err(PublishFault::NotConnected(_)) => pause("no connection to the server".to_owned()),
        Err(PublishFault::Denied(subject)) => pause(format!("permission denied for {subject}")),
        Err(PublishFault::Busy(reason)) => pause(reason),
        Err(PublishFault::NoStream) if is_own(case) => {
            pause(format!("no stream takes {}, or its leader is missing", case.subject))
        }
        Err(PublishFault::NoStream) => {
            counted(case, format!("no stream takes {}; make one that does, and try again", case.subject))
        }
        Err(fault @ PublishFault::Rejected(_))
            if fault.is_about_room() || !fault.is_of_server() || !case.is_connected =>
        {
            pause(format!("{} is not stored: {}", case.subject, text(fault)))
        }
        Err(fault) => Decision::Failed { error: format!("the server refuses it: {}", text(fault)) },
    }
}

/// An attempt that counts; the last one fails.
pub(super) fn counted(case: &Case<'_>, error: String) -> Decision {
    if case.attempts + 1 >= case.attempts_max {
        return Decision::Failed { error };
    }
    Decision::Retry { after: retry_pause(case.attempts), error, counted: true }
}

/// Whether the application itself has to make the stream.
fn is_own(case: &Case<'_>) -> bool {
    let own = [case.own.subjects(), case.own.schedule_subjects()];
    own.iter().any(|pattern| case.subject.starts_with(pattern.trim_end_matches('>')))
}

fn text(fault: PublishFault) -> String {
    match fault {
        PublishFault::Rejected(text) | PublishFault::Busy(text) | PublishFault::Unknown(text) => text,
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(answer: Result<Stored, PublishFault>, subject: &str, attempts: u32) -> Decision {
        let own = Namespace::new("production", "orders").unwrap();
        decide(answer, &Case { subject, attempts, attempts_max: 3, own: &own, is_connected: true })
    }

    const OWN: &str = "production.orders.order.created";

    #[test]
    fn what_is_stored_is_sent_and_what_nobody_knows_is_sent_again_uncounted() {
        let stored = Stored { stream: "s".into(), sequence: 7, duplicate: true };
        assert_eq!(decided(Ok(stored), OWN, 0), Decision::Sent { duplicate: true });
        let unknown = decided(Err(PublishFault::Unknown("late".into())), OWN, 0);
        assert!(matches!(unknown, Decision::Retry { counted: false, .. }), "{unknown:?}");
    }

    #[test]
    fn what_is_not_about_the_message_pauses_everybody() {
        for fault in [
            PublishFault::NotConnected(Duration::ZERO),
            PublishFault::Denied("a.b".into()),
            PublishFault::Busy("busy (10023)".into()),
            PublishFault::Rejected("maximum messages exceeded (10077)".into()),
            PublishFault::Rejected("insufficient storage resources available (10047)".into()),
            PublishFault::Rejected("the connection to the server was closed".into()),
            PublishFault::NoStream,
        ] {
            let decision = decided(Err(fault), OWN, 2);
            assert!(matches!(decision, Decision::Pause { .. }), "{decision:?}");
        }
    }

    #[test]
    fn what_is_about_the_message_fails_it() {
        let refused = PublishFault::Rejected("message size exceeds maximum allowed (10054)".into());
        let error = "the server refuses it: message size exceeds maximum allowed (10054)".to_owned();
        assert_eq!(decided(Err(refused), OWN, 0), Decision::Failed { error });
    }

    #[test]
    fn a_subject_that_no_stream_takes_is_tried_so_often_and_then_fails() {
        for (subject, own) in [("elsewhere.a", false), ("production.orders2.a", false), (OWN, true)] {
            let is_paused = matches!(decided(Err(PublishFault::NoStream), subject, 0), Decision::Pause { .. });
            assert_eq!(is_paused, own, "{subject}");
        }
        let after = |attempts| match decided(Err(PublishFault::NoStream), "elsewhere.a", attempts) {
            Decision::Retry { after, counted: true, .. } => Some(after.as_secs()),
            _ => None,
        };
        assert_eq!([0, 1, 2].map(after), [Some(1), Some(2), None]);
    }
}
