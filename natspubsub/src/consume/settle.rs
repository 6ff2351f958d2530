//! How a delivery ends: one pure decision.

use std::fmt;
use std::time::Duration;

use super::retry::delay;
use crate::handler::{FailureClass, Outcome, redact};
use crate::topology::RetryPolicy;

/// Why a message became a dead letter, as the header `x-dlq-reason` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeadReason {
    Exhausted,
    Permanent,
    Validation,
    Undecodable,
    Timeout,
    Panic,
    Crash,
}

impl DeadReason {
    /// As they are written, in the order of the variants.
    pub(super) const NAMES: [&str; 7] =
        ["exhausted", "permanent", "validation", "undecodable", "timeout", "panic", "crash"];

    fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the decision depends on besides the outcome.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    /// The number of this attempt, from 1.
    pub(super) attempt: u64,
    pub(super) max_attempts: u32,
    pub(super) retry: &'a RetryPolicy,
    /// 64 random bits for the jitter.
    pub(super) random: u64,
}

/// How a delivery ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Settlement {
    /// The handler succeeded: acknowledge.
    Done,
    /// It was handled before: acknowledge.
    Duplicate,
    /// The message no longer matters: acknowledge.
    Discarded { reason: String },
    /// Deliver again after the delay.
    Retry { delay: Duration, error: String },
    /// Store as a dead letter, then end the delivery.
    Dead { reason: DeadReason, error: String },
    /// Something that every message needs is down: hold the delivery and run it again after the pause.
    Hold { pause: Duration, error: String },
    /// It is handled elsewhere: hold the delivery and look again after the delay.
    Wait { delay: Duration },
    /// It only waits, and the application ends: give it back.
    Release,
    /// The server has delivered it again by now: nothing runs, and nothing is answered.
    Expired,
}

impl Settlement {
    /// What the server is told, as spans name it; `None` when it is told nothing.
    pub(super) fn operation(&self) -> Option<&'static str> {
        match self {
            Self::Done | Self::Duplicate | Self::Discarded { .. } => Some("ack"),
            Self::Retry { .. } | Self::Hold { .. } | Self::Wait { .. } | Self::Release => Some("nak"),
            Self::Dead { .. } => Some("term"),
            Self::Expired => None,
        }
    }

    /// Why the message becomes a dead letter, as `x-dlq-reason` says it.
    pub(super) fn dead_reason(&self) -> Option<&'static str> {
        if let Self::Dead { reason, .. } = self { Some(reason.name()) } else { None }
    }

    /// The end of a message whose stream is gone, so that it cannot come again.
    pub(super) fn without_return(self) -> Self {
        match self {
            Self::Retry { error, .. } | Self::Hold { error, .. } => {
                let error = format!("{error} (its stream was deleted, and it cannot come again)");
                Self::Dead { reason: DeadReason::Exhausted, error }
            }
            Self::Done
            | Self::Duplicate
            | Self::Discarded { .. }
            | Self::Dead { .. }
            | Self::Wait { .. }
            | Self::Release
            | Self::Expired => self,
        }
    }
}

/// Whether an attempt beyond the last was delivered: nobody counted, because whoever ran it died. Such a message is
/// never run again.
pub(super) fn crashed(attempt: u64, max_attempts: u32) -> Option<Settlement> {
    (attempt > u64::from(max_attempts)).then(|| {
        let error = format!("delivered {attempt} times without an answer: the process that handles it keeps dying");
        Settlement::Dead { reason: DeadReason::Crash, error }
    })
}

/// How a delivery ends after this outcome.
pub(super) fn decide(facts: &Facts<'_>, outcome: &Outcome) -> Settlement {
    let failure = match outcome {
        Outcome::Ack => return Settlement::Done,
        Outcome::Duplicate => return Settlement::Duplicate,
        Outcome::Discard { reason } => return Settlement::Discarded { reason: redact(reason.clone()) },
        Outcome::DeadLetter { reason } => {
            return Settlement::Dead { reason: DeadReason::Permanent, error: redact(reason.clone()) };
        }
        Outcome::Retry { after } => {
            return again(facts, *after, DeadReason::Exhausted, "the handler asked for another delivery".into());
        }
        Outcome::Failed(failure) => failure,
    };
    let error = failure.describe();
    match failure.class() {
        FailureClass::Transient { after } => again(facts, after, DeadReason::Exhausted, error),
        FailureClass::TransientCurve { curve } => {
            let own =
                RetryPolicy { steps: curve.steps().to_vec(), longest: facts.retry.longest, jitter: curve.has_jitter() };
            again(&Facts { retry: &own, ..*facts }, None, DeadReason::Exhausted, error)
        }
        FailureClass::Timeout => again(facts, None, DeadReason::Timeout, error),
        FailureClass::Panic => again(facts, None, DeadReason::Panic, error),
        FailureClass::Permanent => Settlement::Dead { reason: DeadReason::Permanent, error },
        FailureClass::Validation => Settlement::Dead { reason: DeadReason::Validation, error },
        FailureClass::Undecodable => Settlement::Dead { reason: DeadReason::Undecodable, error },
        FailureClass::Infrastructure { pause } => Settlement::Hold { pause, error },
        FailureClass::Busy { after } => Settlement::Wait { delay: after },
        FailureClass::Discard => Settlement::Discarded { reason: error },
    }
}

/// Another attempt, or the dead letters if this was the last.
fn again(facts: &Facts<'_>, after: Option<Duration>, reason: DeadReason, error: String) -> Settlement {
    if facts.attempt >= u64::from(facts.max_attempts) {
        return Settlement::Dead { reason, error };
    }
    let delay = after.unwrap_or_else(|| delay(facts.retry, facts.attempt, facts.random));
    Settlement::Retry { delay, error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::{Failure, RetryCurve};

    fn policy() -> RetryPolicy {
        RetryPolicy {
            steps: vec![Duration::from_secs(1), Duration::from_secs(3)],
            longest: Duration::from_secs(60),
            jitter: false,
        }
    }

    const CURVE: RetryCurve = RetryCurve::new(&[Duration::from_secs(7), Duration::from_secs(9)], false);

    fn after(attempt: u64, outcome: Outcome) -> Settlement {
        decide(&Facts { attempt, max_attempts: 3, retry: &policy(), random: 0 }, &outcome)
    }

    fn failed(class: FailureClass) -> Outcome {
        Outcome::Failed(Failure::new(class, "why"))
    }

    fn dead(reason: DeadReason) -> Settlement {
        Settlement::Dead { reason, error: "why".into() }
    }

    fn retry(seconds: u64) -> Settlement {
        Settlement::Retry { delay: Duration::from_secs(seconds), error: "why".into() }
    }

    #[test]
    fn every_outcome_has_one_settlement_on_every_attempt() {
        let five = Duration::from_secs(5);
        let transient = || failed(FailureClass::Transient { after: None });
        for (attempt, step) in [(1, 1), (2, 3)] {
            assert_eq!(after(attempt, transient()), retry(step));
            assert_eq!(after(attempt, failed(FailureClass::Timeout)), retry(step));
            assert_eq!(after(attempt, failed(FailureClass::Panic)), retry(step));
            assert_eq!(after(attempt, failed(FailureClass::Transient { after: Some(five) })), retry(5));
        }
        assert_eq!(after(1, failed(FailureClass::TransientCurve { curve: CURVE })), retry(7));
        assert_eq!(after(2, failed(FailureClass::TransientCurve { curve: CURVE })), retry(9));
        for attempt in [3, 4] {
            assert_eq!(after(attempt, transient()), dead(DeadReason::Exhausted));
            assert_eq!(after(attempt, failed(FailureClass::Timeout)), dead(DeadReason::Timeout));
            assert_eq!(after(attempt, failed(FailureClass::Panic)), dead(DeadReason::Panic));
            assert_eq!(
                after(attempt, failed(FailureClass::TransientCurve { curve: CURVE })),
                dead(DeadReason::Exhausted)
            );
            assert!(matches!(
                after(attempt, Outcome::Retry { after: Some(five) }),
                Settlement::Dead { reason: DeadReason::Exhausted, .. }
            ));
        }
        for attempt in 1..=4 {
            assert_eq!(after(attempt, Outcome::Ack), Settlement::Done);
            assert_eq!(after(attempt, Outcome::Duplicate), Settlement::Duplicate);
            let busy = failed(FailureClass::Busy { after: five });
            assert_eq!(after(attempt, busy), Settlement::Wait { delay: five });
            assert_eq!(after(attempt, Outcome::DeadLetter { reason: "why".into() }), dead(DeadReason::Permanent));
            assert_eq!(
                after(attempt, Outcome::Discard { reason: "why".into() }),
                Settlement::Discarded { reason: "why".into() }
            );
            assert_eq!(after(attempt, failed(FailureClass::Permanent)), dead(DeadReason::Permanent));
            assert_eq!(after(attempt, failed(FailureClass::Validation)), dead(DeadReason::Validation));
            assert_eq!(after(attempt, failed(FailureClass::Undecodable)), dead(DeadReason::Undecodable));
            assert_eq!(after(attempt, failed(FailureClass::Discard)), Settlement::Discarded { reason: "why".into() });
            let held = Settlement::Hold { pause: five, error: "why".into() };
            assert_eq!(after(attempt, failed(FailureClass::Infrastructure { pause: five })), held);
        }
        assert!(
            matches!(after(1, Outcome::Retry { after: None }), Settlement::Retry { delay, .. } if delay == Duration::from_secs(1))
        );
    }

    #[test]
    fn what_cannot_come_again_is_a_dead_letter_instead() {
        let error = "why (its stream was deleted, and it cannot come again)".to_owned();
        let wanted = Settlement::Dead { reason: DeadReason::Exhausted, error };
        assert_eq!(retry(1).without_return(), wanted);
        let held = Settlement::Hold { pause: Duration::ZERO, error: "why".into() };
        assert_eq!(held.without_return(), wanted);
        let discarded = Settlement::Discarded { reason: "why".into() };
        for same in [Settlement::Done, discarded, dead(DeadReason::Panic), Settlement::Release, Settlement::Expired] {
            assert_eq!(same.clone().without_return(), same);
        }
    }

    #[test]
    fn an_attempt_beyond_the_last_never_runs() {
        assert_eq!(crashed(3, 3), None);
        assert!(matches!(crashed(4, 3), Some(Settlement::Dead { reason: DeadReason::Crash, .. })));
    }

    #[test]
    fn reasons_are_written_as_the_wire_format_says() {
        let all = [
            DeadReason::Exhausted,
            DeadReason::Permanent,
            DeadReason::Validation,
            DeadReason::Undecodable,
            DeadReason::Timeout,
            DeadReason::Panic,
            DeadReason::Crash,
        ];
        let written: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(written, ["exhausted", "permanent", "validation", "undecodable", "timeout", "panic", "crash"]);
    }
}
