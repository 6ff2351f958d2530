//! How a handling ended, for those who are told of it.

use std::time::Duration;

use bytes::Bytes;

use crate::handler::{Failure, FailureClass, Outcome, redact};
use crate::message::Context;

/// How one handling ended, as [`Hooks`](super::Hooks) and [`ErrorReporter`](super::ErrorReporter) are told of it.
///
/// ```
/// use natspubsub::middleware::Report;
/// fn tell(report: &Report) {
///     println!("{} {:?}: {:?}", report.context.event_id(), report.ending, report.error);
/// }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// Where the message comes from and how often it was tried.
    pub context: Context,
    /// How the handling ended.
    pub ending: Ending,
    /// The error with its causes, or the reason that the handler gave; passwords in addresses are masked.
    pub error: Option<String>,
    /// How long it took, with the middleware further in.
    pub elapsed: Duration,
    /// The body of the message, if it was asked for.
    pub body: Option<Bytes>,
}

/// How a handling ended.
///
/// ```
/// use natspubsub::FailureClass;
/// use natspubsub::middleware::Ending;
/// fn is_slow(ending: &Ending) -> bool {
///     matches!(ending, Ending::Failed(FailureClass::Timeout))
/// }
/// # assert!(!is_slow(&Ending::Handled));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The handler succeeded.
    Handled,
    /// The handler asked for another delivery.
    Retry,
    /// The handler gave the message up.
    DeadLetter,
    /// The message no longer matters.
    Discarded,
    /// It had been handled before.
    Duplicate,
    /// It failed; the class says what follows.
    Failed(FailureClass),
}

impl Ending {
    /// Whether something went wrong: a failure, but not a message that is handled elsewhere or no longer matters.
    pub(super) fn is_error(self) -> bool {
        match self {
            Self::Failed(class) => !matches!(class, FailureClass::Busy { .. } | FailureClass::Discard),
            Self::DeadLetter => true,
            Self::Handled | Self::Retry | Self::Discarded | Self::Duplicate => false,
        }
    }

    pub(super) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Ack => Self::Handled,
            Outcome::Retry { .. } => Self::Retry,
            Outcome::DeadLetter { .. } => Self::DeadLetter,
            Outcome::Discard { .. } => Self::Discarded,
            Outcome::Duplicate => Self::Duplicate,
            Outcome::Failed(failure) => Self::Failed(failure.class()),
        }
    }
}

impl Report {
    pub(super) fn new(context: Context, outcome: &Outcome, elapsed: Duration, body: Option<Bytes>) -> Self {
        let error = match outcome {
            Outcome::DeadLetter { reason } | Outcome::Discard { reason } => Some(redact(reason.clone())),
            Outcome::Failed(failure) => Some(Failure::describe(failure)),
            Outcome::Ack | Outcome::Retry { .. } | Outcome::Duplicate => None,
        };
        Self { context, ending: Ending::of(outcome), error, elapsed, body }
    }
}
