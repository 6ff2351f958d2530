//! A health check of the user's own, declared by the attribute or made of a closure.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::names::name_faults;
use crate::handler::{CheckFuture, CheckKind, CheckReturn, Requirement, Services};
use crate::registry::{DeclaredHealthCheck, HealthCheckDescriptor, missing_states};

/// How long one run may take unless it says otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);

type Call = Arc<dyn Fn(Arc<Services>) -> CheckFuture + Send + Sync>;

/// A health check of the user's own, for [`AppBuilder::health_check`](crate::AppBuilder::health_check).
///
/// ```
/// use natspubsub::{App, CheckKind, HealthCheck};
/// use std::time::Duration;
///
/// let address = "db.example:5432";
/// let check = HealthCheck::new("database", move || async move { tokio::net::TcpStream::connect(address).await.map(drop) })
///     .kind(CheckKind::Readiness)
///     .timeout(Duration::from_secs(2));
/// let builder = App::builder().health_check(check);
/// ```
#[derive(Clone)]
pub struct HealthCheck {
    pub(crate) name: String,
    pub(crate) kind: CheckKind,
    pub(crate) timeout: Duration,
    /// `file:line` of the declaration.
    pub(crate) place: String,
    /// What the attribute declared; nothing of a closure.
    descriptor: Option<&'static HealthCheckDescriptor>,
    call: Call,
}

impl HealthCheck {
    /// A check that calls an async closure: a readiness check that may take 5 seconds.
    ///
    /// The closure returns `()`, [`HealthStatus`](crate::HealthStatus), or a `Result` of one of them; an error makes the
    /// check unhealthy, with the error as its message.
    ///
    /// ```
    /// use natspubsub::{HealthCheck, HealthStatus};
    /// let check = HealthCheck::new("disk", || async { HealthStatus::Degraded });
    /// ```
    #[track_caller]
    pub fn new<F, Fut>(name: impl Into<String>, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output: CheckReturn> + Send + 'static,
    {
        let place = Location::caller();
        // The closure itself is called on the task of the check, where a panic is caught.
        let check = Arc::new(check);
        let call = move |_| -> CheckFuture {
            let check = check.clone();
            Box::pin(async move { check().await.into_check() })
        };
        Self {
            name: name.into(),
            kind: CheckKind::default(),
            timeout: TIMEOUT,
            place: format!("{}:{}", place.file(), place.line()),
            descriptor: None,
            call: Arc::new(call),
        }
    }

    /// Which question it answers. Default: readiness.
    ///
    /// ```
    /// use natspubsub::{CheckKind, HealthCheck};
    /// let check = HealthCheck::new("migrations", || async {}).kind(CheckKind::Startup);
    /// ```
    #[must_use]
    pub fn kind(mut self, kind: CheckKind) -> Self {
        self.kind = kind;
        self
    }

    /// How long one run may take; longer counts as unhealthy. Default: 5 seconds.
    ///
    /// ```
    /// use natspubsub::HealthCheck;
    /// use std::time::Duration;
    /// let check = HealthCheck::new("queue", || async {}).timeout(Duration::from_secs(1));
    /// ```
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Begins a run.
    pub(crate) fn call(&self, services: Arc<Services>) -> CheckFuture {
        (self.call)(services)
    }

    /// What the attribute declared.
    pub(crate) fn descriptor(&self) -> Option<&'static HealthCheckDescriptor> {
        self.descriptor
    }

    /// Whether both are one declaration.
    fn is(&self, other: &Self) -> bool {
        match (self.descriptor, other.descriptor) {
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            _ => false,
        }
    }

    fn requirements(&self) -> Vec<Requirement> {
        self.descriptor.map(|descriptor| (descriptor.requirements)()).unwrap_or_default()
    }
}

impl From<&'static HealthCheckDescriptor> for HealthCheck {
    fn from(descriptor: &'static HealthCheckDescriptor) -> Self {
        let options = &descriptor.options;
        Self {
            name: descriptor.title.to_owned(),
            kind: options.kind.map_or(CheckKind::default(), CheckKind::named),
            timeout: options.timeout_ns.map_or(TIMEOUT, Duration::from_nanos),
            place: descriptor.origin.place(),
            descriptor: Some(descriptor),
            call: Arc::new(descriptor.call),
        }
    }
}

impl fmt::Debug for HealthCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, timeout, place, .. } = self;
        let mut shown = f.debug_struct("HealthCheck");
        shown.field("name", name).field("kind", kind).field("timeout", timeout).field("place", place);
        shown.finish_non_exhaustive()
    }
}

/// What [`AppBuilder::health_check`](crate::AppBuilder::health_check) takes: a [`HealthCheck`], or the name of a function with
/// `#[health_check]` and braces.
///
/// ```standalone_crate
/// use natspubsub::prelude::*;
/// use natspubsub::HealthCheck;
///
/// #[health_check("database")]
/// async fn database() -> Result<(), std::io::Error> {
///     Ok(())
/// }
///
/// # fn main() {
/// let builder = App::builder().health_check(database {}).health_check(HealthCheck::new("cache", || async {}));
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a health check",
    note = "annotate an `async fn` with `#[health_check(\"database\")]` and pass its name with braces, `.health_check(database {{}})`, or make one with `HealthCheck::new(\"database\", || async {{ .. }})`"
)]
pub trait IntoHealthCheck {
    /// The check.
    fn into_health_check(self) -> HealthCheck;
}

impl IntoHealthCheck for HealthCheck {
    fn into_health_check(self) -> HealthCheck {
        self
    }
}

impl<C: DeclaredHealthCheck> IntoHealthCheck for C {
    fn into_health_check(self) -> HealthCheck {
        self.descriptor().into()
    }
}

/// What is wrong with the checks of an application.
pub(crate) trait CheckFaults {
    /// Without the second of two that are one declaration: a linked check may be named, too.
    fn deduplicated(self) -> Self;

    /// Names that nobody could tell apart, and states that arguments need and the application does not have.
    fn faults(&self, services: Option<&Services>) -> Vec<String>;
}

impl CheckFaults for Vec<HealthCheck> {
    fn deduplicated(self) -> Self {
        let mut kept: Self = Vec::new();
        for check in self {
            if !kept.iter().any(|other| other.is(&check)) {
                kept.push(check);
            }
        }
        kept
    }

    fn faults(&self, services: Option<&Services>) -> Vec<String> {
        let mut faults = name_faults(self);
        let Some(services) = services else { return faults };
        for check in self {
            if let Some(descriptor) = check.descriptor {
                faults.extend(missing_states(&descriptor.origin, check.requirements(), services));
            }
        }
        faults
    }
}
