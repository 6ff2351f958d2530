//! So many handlings in a time.

use std::sync::Arc;
use std::time::Duration;

use super::pace::Pace;
use crate::handler::{Delivery, Middleware, Next, Outcome};

/// Lets so many messages through in a time; the others wait, in the order of their coming.
///
/// A whole allowance may be taken at once, then it comes back evenly (the generic cell rate algorithm, crate `governor`).
/// The wait counts towards the subscriber's `timeout`; the option `rate_limit` of a subscriber waits outside of it, and is
/// the better choice for one subscriber alone. State: one pace, which clones share, in this process. Order: inside of
/// [`CircuitBreaker`](super::CircuitBreaker), outside of [`Timeout`](super::Timeout). Cost: a lock and the wait.
///
/// ```
/// use std::time::Duration;
/// use natspubsub::middleware::RateLimit;
/// let builder = natspubsub::App::builder().middleware(-10, RateLimit::new(100, Duration::from_secs(1)));
/// ```
#[derive(Debug, Clone)]
pub struct RateLimit {
    pace: Arc<Pace>,
}

impl RateLimit {
    /// So many in each `per`.
    ///
    /// ```
    /// let hundred_a_second = natspubsub::middleware::RateLimit::new(100, std::time::Duration::from_secs(1));
    /// ```
    ///
    /// # Panics
    /// When `count` or `per` is zero.
    pub fn new(count: u32, per: Duration) -> Self {
        assert!(count > 0 && !per.is_zero(), "a rate limit lets at least one through, in a time that is not zero");
        Self { pace: Arc::new(Pace::new(count, per)) }
    }
}

impl Middleware for RateLimit {
    async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
        self.pace.turn(&*delivery.clock()).await;
        next.run(delivery).await
    }
}
