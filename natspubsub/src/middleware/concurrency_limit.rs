//! So many handlers at once, of all subscribers together.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::handler::{Delivery, Middleware, Next, Outcome};

/// Lets so many handlers run at once, whatever subscriber they belong to; the others wait, in the order of their coming.
///
/// `concurrency` of a subscriber says how many of its own run; this says how many of all do, for what they share: a
/// database with so many connections, say. The wait counts towards the subscriber's `timeout`. State: the places, which
/// clones share, in this process. Order: inside of [`CircuitBreaker`](super::CircuitBreaker), outside of
/// [`Timeout`](super::Timeout). Cost: a semaphore and the wait.
///
/// ```
/// use natspubsub::middleware::ConcurrencyLimit;
/// let builder = natspubsub::App::builder().middleware(-10, ConcurrencyLimit::new(32));
/// ```
#[derive(Debug, Clone)]
pub struct ConcurrencyLimit {
    places: Arc<Semaphore>,
}

impl ConcurrencyLimit {
    /// So many at once.
    ///
    /// ```
    /// let limit = natspubsub::middleware::ConcurrencyLimit::new(32);
    /// ```
    ///
    /// # Panics
    /// When `most` is zero.
    pub fn new(most: u32) -> Self {
        assert!(most > 0, "a concurrency limit lets at least one through");
        Self { places: Arc::new(Semaphore::new(most as usize)) }
    }
}

impl Middleware for ConcurrencyLimit {
    async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
        // It is never closed.
        let _place = self.places.acquire().await;
        next.run(delivery).await
    }
}
