//! Health checks of the user: what they take, what they return.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde::Serialize;

use super::delivery::Services;
use super::extract::{Requirement, State};
use super::failure::Failure;
use crate::error::BoxError;

/// Whether something works; the worse is the greater.
///
/// ```
/// use natspubsub::HealthStatus;
/// assert!(HealthStatus::Healthy < HealthStatus::Degraded && HealthStatus::Degraded < HealthStatus::Unhealthy);
/// assert_eq!(HealthStatus::Degraded.to_string(), "degraded");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum HealthStatus {
    /// Everything works.
    Healthy,
    /// Messages are handled, and something needs attention.
    Degraded,
    /// Messages are not handled.
    Unhealthy,
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        })
    }
}

/// Which question a health check answers.
///
/// ```
/// assert_eq!(natspubsub::CheckKind::default(), natspubsub::CheckKind::Readiness);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CheckKind {
    /// Whether the process works, whatever it depends on; if not, it has to be started again.
    Liveness,
    /// Whether messages are handled now.
    #[default]
    Readiness,
    /// Whether the start is over; once it is, that does not change any more.
    Startup,
}

impl CheckKind {
    /// As `#[health_check]` writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
            Self::Startup => "startup",
        }
    }

    /// The kind that an attribute names; the macro takes no other words.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "liveness" => Self::Liveness,
            "startup" => Self::Startup,
            _ => Self::Readiness,
        }
    }
}

/// What a check found, or why it failed.
pub(crate) type CheckResult = Result<HealthStatus, BoxError>;

/// A running check.
pub(crate) type CheckFuture = Pin<Box<dyn Future<Output = CheckResult> + Send>>;

/// A type that a health check, or a batch handler after its batch, can take as an argument.
///
/// ```standalone_crate
/// use natspubsub::prelude::*;
/// use natspubsub::FromServices;
///
/// struct Limit(u32);
///
/// impl FromServices for Limit {
///     fn from_services(services: &natspubsub::Services) -> Result<Self, Failure> {
///         services.get::<u32>().copied().map(Limit).ok_or_else(|| Failure::permanent("no limit was given"))
///     }
/// }
///
/// #[health_check("queue")]
/// async fn queue(limit: Limit) -> Result<(), Failure> {
///     if limit.0 == 0 { Err(Failure::permanent("nothing is let in")) } else { Ok(()) }
/// }
/// # fn main() {}
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` belongs to a message, and cannot be an argument here",
    label = "not shared by the application",
    note = "a batch handler (after the batch) and a health check take `State<T>`, `Publisher` and types that implement `FromServices`; each message of a batch has its own `message.context()`"
)]
pub trait FromServices: Sized + Send {
    /// Takes the argument out of what the application shares.
    ///
    /// # Errors
    /// A [`Failure`]: the check does not run and counts as failed.
    fn from_services(services: &Services) -> Result<Self, Failure>;

    /// What the application must provide; checked at start.
    fn requirement() -> Option<Requirement> {
        None
    }
}

impl<T: Clone + Send + Sync + 'static> FromServices for State<T> {
    fn from_services(services: &Services) -> Result<Self, Failure> {
        Self::of(services)
    }

    fn requirement() -> Option<Requirement> {
        Some(Requirement::state::<T>())
    }
}

/// A type that a health check can return.
#[diagnostic::on_unimplemented(
    message = "a health check cannot return `{Self}`",
    label = "not the return type of a health check",
    note = "return `()`, `HealthStatus`, or a `Result` of one of them whose error is an error type"
)]
pub trait CheckReturn {
    /// What the check found.
    fn into_check(self) -> CheckResult;
}

impl CheckReturn for () {
    fn into_check(self) -> CheckResult {
        Ok(HealthStatus::Healthy)
    }
}

impl CheckReturn for HealthStatus {
    fn into_check(self) -> CheckResult {
        Ok(self)
    }
}

impl<T: CheckReturn, E: Into<BoxError>> CheckReturn for Result<T, E> {
    fn into_check(self) -> CheckResult {
        self.map_err(Into::into)?.into_check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_finds_what_it_returns() {
        assert_eq!(().into_check().unwrap(), HealthStatus::Healthy);
        assert_eq!(Ok::<_, Failure>(HealthStatus::Degraded).into_check().unwrap(), HealthStatus::Degraded);
        assert_eq!(Err::<(), _>("down").into_check().unwrap_err().to_string(), "down");
    }
}
