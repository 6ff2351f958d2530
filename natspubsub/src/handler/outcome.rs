//! What a handler says about its message.

use std::time::Duration;

use super::failure::Failure;

/// What a handler says about its message; the engine decides from it how the message is settled.
///
/// ```
/// use natspubsub::prelude::*;
/// use std::time::Duration;
///
/// #[topic_subscriber("order.created")]
/// async fn on_order(order: serde_json::Value) -> Outcome {
///     if order["ready"] == false {
///         return Outcome::Retry { after: Some(Duration::from_secs(5)) };
///     }
///     Outcome::Ack
/// }
/// # fn main() {}
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// Done: acknowledge the message.
    Ack,
    /// Not now: deliver the message again.
    Retry {
        /// The delay; `None` is the subscriber's backoff.
        after: Option<Duration>,
    },
    /// Never: store the message as a dead letter.
    DeadLetter {
        /// Why, for the person who reads the dead letter.
        reason: String,
    },
    /// The message no longer matters: acknowledge it and count it as discarded.
    Discard {
        /// Why, for the log.
        reason: String,
    },
    /// This durable has handled the event before, and its inbox knows: acknowledge it, and count it as a duplicate.
    Duplicate,
    /// The handler failed; the failure's class says what follows.
    Failed(Failure),
}

impl Outcome {
    /// The kind of failure, for spans; `None` when the handler did what it wanted to.
    pub(crate) fn error_type(&self) -> Option<&'static str> {
        match self {
            Self::Ack | Self::Retry { .. } | Self::Discard { .. } | Self::Duplicate => None,
            Self::DeadLetter { .. } => Some("permanent"),
            Self::Failed(failure) => failure.class().error_type(),
        }
    }
}

/// A value that a handler can return, alone or inside `Result`.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "not an outcome",
    note = "return `()`, `Result<(), E>`, `Outcome` or `Result<Outcome, E>`, where `E` is an error type"
)]
pub trait IntoOutcome {
    /// The outcome that the value stands for.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Outcome::Ack
    }
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}
