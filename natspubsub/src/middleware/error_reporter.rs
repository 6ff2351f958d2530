//! Telling somebody about failures.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use super::report::{Ending, Report};
use crate::handler::{Delivery, Middleware, Next, Outcome, guard};

/// How long one report may take. Shorter than what middleware has left when the handler was cut off by its time limit.
const LIMIT: Duration = Duration::from_millis(500);

/// Reports at once.
const AT_ONCE: usize = 16;

type Hook = dyn Fn(Report) -> BoxFuture<'static, ()> + Send + Sync;

/// Calls a hook for each handling that failed: errors, timeouts, panics, and messages that a handler gave up.
///
/// The hook cannot change how the message is settled: what it panics with is caught, and it has half a second; 16 run at
/// once at most, and a failure beyond them is not reported but counted. It is told the context and the error, and the body
/// of the message only after [`with_body`](Self::with_body). The settlement waits for it, so hand over to a queue what
/// takes long. State: the places, which clones share. Order: outside of the others, so that it sees what they return. Cost:
/// for what succeeds, a look at the clock and a copy of the context, which is one counter.
///
/// ```
/// use natspubsub::middleware::ErrorReporter;
/// let reporter = ErrorReporter::new(async |report| {
///     eprintln!("{} of {}: {:?}", report.context.event_id(), report.context.subscriber(), report.error);
/// });
/// let builder = natspubsub::App::builder().middleware(-30, reporter);
/// ```
#[derive(Clone)]
pub struct ErrorReporter {
    hook: Arc<Hook>,
    limit: Duration,
    places: Arc<Semaphore>,
    skipped: Arc<AtomicU64>,
    with_body: bool,
}

impl ErrorReporter {
    /// Calls `hook` for each failure.
    ///
    /// ```
    /// use natspubsub::middleware::ErrorReporter;
    /// let reporter = ErrorReporter::new(async |report| eprintln!("{:?}", report.error));
    /// ```
    pub fn new<F, R>(hook: F) -> Self
    where
        F: Fn(Report) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        Self {
            hook: Arc::new(move |report| Box::pin(hook(report))),
            limit: LIMIT,
            places: Arc::new(Semaphore::new(AT_ONCE)),
            skipped: Arc::default(),
            with_body: false,
        }
    }

    /// Gives each report so much time, at most half a second. Default: half a second.
    ///
    /// ```
    /// # use natspubsub::middleware::ErrorReporter;
    /// let reporter = ErrorReporter::new(async |_| {}).time_limit(std::time::Duration::from_millis(50));
    /// ```
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limit = limit.min(LIMIT);
        self
    }

    /// Reports also hold the body of the message. It may hold what must not be passed on.
    ///
    /// ```
    /// # use natspubsub::middleware::ErrorReporter;
    /// let reporter = ErrorReporter::new(async |report| eprintln!("{:?}", report.body)).with_body();
    /// ```
    #[must_use]
    pub fn with_body(mut self) -> Self {
        self.with_body = true;
        self
    }

    /// How many failures were not reported, because 16 reports were under way, or the hook panicked or took too long.
    ///
    /// ```
    /// # use natspubsub::middleware::ErrorReporter;
    /// assert_eq!(ErrorReporter::new(async |_| {}).skipped(), 0);
    /// ```
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    async fn report(&self, clock: &dyn crate::clock::Clock, report: Report) {
        let told = match self.places.try_acquire() {
            Ok(_place) => guard(clock, Some(self.limit), async { (self.hook)(report).await }).await.is_ok(),
            Err(_) => false,
        };
        if !told {
            self.skipped.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(skipped = self.skipped(), "a failure was not reported: the hook is busy, or failed itself");
        }
    }
}

impl Middleware for ErrorReporter {
    async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
        let (clock, context) = (delivery.clock(), delivery.context().clone());
        let body = self.with_body.then(|| delivery.body().clone());
        let began = clock.monotonic();
        let outcome = next.run(delivery).await;
        if Ending::of(&outcome).is_error() {
            let elapsed = clock.monotonic().saturating_sub(began);
            self.report(&*clock, Report::new(context, &outcome, elapsed, body)).await;
        }
        outcome
    }
}

impl fmt::Debug for ErrorReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorReporter").field("skipped", &self.skipped()).finish_non_exhaustive()
    }
}
