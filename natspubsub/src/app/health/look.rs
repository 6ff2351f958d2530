//! One look at something: with a time limit, measured, and on the thread where it belongs.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use natspubsub_grammar::format_duration;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use crate::clock::{Clock, timeout};
use crate::error::chain;
use crate::handler::{CheckKind, Services, panic_text, redact};
use crate::health::{CheckReport, Found, HealthCheck};

/// How long a look at something of our own may take.
pub(super) const LOOK_LIMIT: Duration = Duration::from_secs(2);

/// A check of the user's own.
pub(super) struct UserCheck {
    check: HealthCheck,
    /// Held by each run: one that blocks its thread cannot be ended.
    held: Arc<()>,
}

impl UserCheck {
    pub(super) fn new(check: HealthCheck) -> Self {
        Self { check, held: Arc::default() }
    }

    pub(super) fn kind(&self) -> CheckKind {
        self.check.kind
    }
}

/// Looks, up to a time limit, and says how long it took.
pub(super) async fn measured(
    clock: &dyn Clock,
    name: impl Into<String>,
    limit: Duration,
    look: impl Future<Output = Found>,
) -> CheckReport {
    let begun = clock.monotonic();
    let found = timeout(clock, limit, look).await;
    let found = found.unwrap_or_else(|| Found::unhealthy(format!("no answer within {}", format_duration(limit))));
    CheckReport::new(name, found, clock.monotonic().saturating_sub(begun))
}

/// What is known without a look.
pub(super) fn at_once(name: impl Into<String>, found: Found) -> BoxFuture<'static, CheckReport> {
    ready(CheckReport::new(name, found, Duration::ZERO)).boxed()
}

/// Runs something on another runtime. Dropping the future ends it.
pub(super) async fn on<T: Send + 'static>(
    runtime: &Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Found> {
    let ended = AbortOnDropHandle::new(runtime.spawn(work)).await;
    ended.map_err(|error| match error.try_into_panic() {
        Ok(panic) => Found::unhealthy(redact(format!("the check panicked: {}", panic_text(panic)))),
        Err(_) => Found::unhealthy("the runtime of the application has ended"),
    })
}

/// Whether a runtime runs tasks.
pub(super) async fn answers(name: &'static str, runtime: &Handle, clock: &dyn Clock) -> CheckReport {
    let look = async {
        match on(runtime, ready(())).await {
            Ok(()) => Found::healthy("it runs tasks"),
            Err(found) => found,
        }
    };
    measured(clock, name, LOOK_LIMIT, look).await
}

/// Runs a check of the user's own, on the runtime where its connections belong.
pub(super) async fn run(own: &UserCheck, services: Arc<Services>, runtime: &Handle, clock: &dyn Clock) -> CheckReport {
    let UserCheck { check, held } = own;
    if Arc::strong_count(held) > 1 {
        let found = Found::unhealthy("the run before has not ended; does the check block its thread?");
        return CheckReport::new(&check.name, found, Duration::ZERO);
    }
    let (called, held) = (check.clone(), held.clone());
    let work = async move {
        let _held = held;
        called.call(services).await
    };
    let look = async {
        match on(runtime, work).await {
            Ok(Ok(status)) => Found::new(status, ""),
            Ok(Err(error)) => Found::unhealthy(redact(chain(&*error))),
            Err(found) => found,
        }
    };
    measured(clock, &check.name, check.timeout, look).await
}
