//! The outcome of a run as a label of metrics.

use super::failure::FailureClass;
use super::outcome::Outcome;
use crate::metrics::RunOutcome;

impl From<&Outcome> for RunOutcome {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Ack => Self::Ack,
            Outcome::Duplicate => Self::Duplicate,
            Outcome::Discard { .. } => Self::Discard,
            Outcome::DeadLetter { .. } => Self::DeadLetter,
            Outcome::Retry { .. } => Self::Retry,
            Outcome::Failed(failure) => match failure.class() {
                FailureClass::Transient { .. } | FailureClass::TransientCurve { .. } => Self::Transient,
                FailureClass::Timeout => Self::Timeout,
                FailureClass::Panic => Self::Panic,
                FailureClass::Permanent => Self::Permanent,
                FailureClass::Validation => Self::Validation,
                FailureClass::Undecodable => Self::Undecodable,
                FailureClass::Infrastructure { .. } => Self::Infrastructure,
                FailureClass::Busy { .. } => Self::Busy,
                FailureClass::Discard => Self::Discard,
            },
        }
    }
}
