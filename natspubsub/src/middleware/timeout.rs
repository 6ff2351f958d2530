//! A time limit of its own, shorter than the subscriber's.

use std::time::Duration;

use crate::handler::{Delivery, Middleware, Next, Outcome, guard};

/// Gives what lies further in so much time; what is cut off has failed with
/// [`FailureClass::Timeout`](crate::FailureClass::Timeout), and is retried.
///
/// The subscriber's own `timeout` (60 seconds by default) counts around all middleware; this one is for a limit on many
/// subscribers, or on a part of the chain. State: none. Order: inside of what waits, such as [`RateLimit`](super::RateLimit),
/// so that waiting does not count. Cost: a timer for a handler that does not end at once.
///
/// ```
/// use std::time::Duration;
/// use natspubsub::middleware::Timeout;
/// let builder = natspubsub::App::builder().middleware(10, Timeout::new(Duration::from_secs(5)));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Timeout {
    limit: Duration,
}

impl Timeout {
    /// A limit for each run.
    ///
    /// ```
    /// let timeout = natspubsub::middleware::Timeout::new(std::time::Duration::from_secs(5));
    /// ```
    pub fn new(limit: Duration) -> Self {
        Self { limit }
    }
}

impl Middleware for Timeout {
    async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
        let clock = delivery.clock();
        guard(&*clock, Some(self.limit), next.run(delivery)).await.unwrap_or_else(Outcome::Failed)
    }
}
