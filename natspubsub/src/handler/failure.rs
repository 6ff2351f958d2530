//! Why a handler did not succeed, and what that means for the message.

use std::fmt;
use std::time::Duration;

use super::redact::redact;
use crate::error::{BoxError, chain};

/// What a failure means for its message.
///
/// ```
/// use natspubsub::{Failure, FailureClass};
/// assert_eq!(Failure::validation("no total").class(), FailureClass::Validation);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureClass {
    /// May succeed later: retried with the subscriber's backoff, or after the given delay.
    Transient {
        /// The delay before the next attempt; `None` is the subscriber's backoff.
        after: Option<Duration>,
    },
    /// May succeed later: retried along a curve of its own.
    TransientCurve {
        /// The delays between attempts.
        curve: RetryCurve,
    },
    /// Will never succeed: a dead letter at once.
    Permanent,
    /// The message breaks a rule: a dead letter at once.
    Validation,
    /// The bytes cannot be read: a dead letter at once.
    Undecodable,
    /// The handler did not end within the subscriber's `timeout`: retried.
    Timeout,
    /// The handler panicked: retried.
    Panic,
    /// Something that every message needs is down: retried after a pause without using up an attempt's dead letter.
    Infrastructure {
        /// How long to wait before the next attempt.
        pause: Duration,
    },
    /// The message is being handled elsewhere: held, and looked at again after the delay. It uses up no attempt.
    Busy {
        /// The delay before the next look.
        after: Duration,
    },
    /// The message no longer matters: acknowledged and counted as discarded.
    Discard,
}

impl FailureClass {
    /// Its name in spans; `None` for what is no failure of the handler.
    pub(crate) fn error_type(&self) -> Option<&'static str> {
        match self {
            Self::Transient { .. } | Self::TransientCurve { .. } => Some("transient"),
            Self::Permanent => Some("permanent"),
            Self::Validation => Some("validation"),
            Self::Undecodable => Some("undecodable"),
            Self::Timeout => Some("timeout"),
            Self::Panic => Some("panic"),
            Self::Infrastructure { .. } => Some("infrastructure"),
            Self::Busy { .. } | Self::Discard => None,
        }
    }
}

/// The delays between attempts that one kind of error asks for; past the last one the delay doubles up to the
/// subscriber's `max_backoff`.
///
/// ```
/// use natspubsub::RetryCurve;
/// use std::time::Duration;
/// const CURVE: RetryCurve = RetryCurve::new(&[Duration::from_millis(50), Duration::from_secs(1)], true);
/// assert_eq!(CURVE.steps().len(), 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryCurve {
    steps: &'static [Duration],
    jitter: bool,
}

impl RetryCurve {
    /// A curve with at least one step; with `jitter` each delay varies by up to a fifth.
    pub const fn new(steps: &'static [Duration], jitter: bool) -> Self {
        Self { steps, jitter }
    }

    /// The delay after the first failure, the second, and so on.
    pub const fn steps(&self) -> &'static [Duration] {
        self.steps
    }

    /// Whether each delay varies by up to a fifth.
    pub const fn has_jitter(&self) -> bool {
        self.jitter
    }
}

/// The policy that an error type declares for its values; see [`HandlerError`].
///
/// ```
/// use natspubsub::{FailureClass, Policy};
/// let policy: Policy = FailureClass::Permanent;
/// ```
pub type Policy = FailureClass;

/// An error type that says what each of its values means for the message.
///
/// Derive it, or implement it by hand. An error that does not implement it is transient.
///
/// ```
/// use natspubsub::{FailureClass, HandlerError, Policy};
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("unknown sku {0}")]
/// struct UnknownSku(String);
///
/// impl HandlerError for UnknownSku {
///     fn policy(&self) -> Policy {
///         FailureClass::Permanent
///     }
/// }
/// ```
pub trait HandlerError: std::error::Error + Send + Sync + 'static {
    /// What this value means for the message.
    fn policy(&self) -> Policy;
}

/// A failure with its class and its cause.
///
/// ```
/// use natspubsub::prelude::*;
///
/// #[topic_subscriber("order.created")]
/// async fn on_order(order: serde_json::Value) -> Result<(), Failure> {
///     if order["total"].is_null() {
///         return Err(Failure::validation("an order needs a total"));
///     }
///     Ok(())
/// }
/// # fn main() {}
/// ```
pub struct Failure {
    class: FailureClass,
    error: BoxError,
}

impl Failure {
    /// A failure of any class.
    pub fn new(class: FailureClass, error: impl Into<BoxError>) -> Self {
        Self { class, error: error.into() }
    }

    /// A failure that may succeed later.
    pub fn transient(error: impl Into<BoxError>) -> Self {
        Self::new(FailureClass::Transient { after: None }, error)
    }

    /// A failure that will never succeed.
    pub fn permanent(error: impl Into<BoxError>) -> Self {
        Self::new(FailureClass::Permanent, error)
    }

    /// A message that breaks a rule.
    pub fn validation(error: impl Into<BoxError>) -> Self {
        Self::new(FailureClass::Validation, error)
    }

    /// What the failure means for the message.
    pub fn class(&self) -> FailureClass {
        self.class
    }

    /// The cause with its own causes, in one text.
    pub(crate) fn describe(&self) -> String {
        redact(chain(self.error.as_ref()))
    }
}

impl HandlerError for Failure {
    fn policy(&self) -> Policy {
        self.class
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.class, self.describe())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}
