//! A stand-in for what lies further in than a middleware.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::handler::{CallFuture, Chain, Cut, Delivery, DynMiddleware, Middleware, Next, Outcome, Target};

/// A handler for a plain call of a middleware: it does what the closure says, and keeps what it was called with.
///
/// ```
/// use natspubsub::prelude::*;
/// use natspubsub::testing;
///
/// struct Bouncer;
///
/// impl Middleware for Bouncer {
///     async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
///         match delivery.context().headers().get("x-ticket") {
///             Some(_) => next.run(delivery).await,
///             None => Outcome::Discard { reason: "no ticket".into() },
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let handler = testing::handler(async |_delivery| Outcome::Ack);
/// let bare = testing::delivery("concert", "Ann").build();
/// assert!(matches!(Bouncer.handle(bare, handler.next()).await, Outcome::Discard { .. }));
/// assert!(handler.calls().is_empty());
///
/// let guest = testing::delivery("concert", "Bob").context(|ctx| ctx.header("x-ticket", "7")).build();
/// assert!(matches!(Bouncer.handle(guest, handler.next()).await, Outcome::Ack));
/// assert_eq!(handler.calls().len(), 1);
/// # }
/// ```
pub fn handler<F, A>(answer: F) -> StandIn
where
    F: Fn(Delivery) -> A + Send + Sync + 'static,
    A: Future<Output = Outcome> + Send + 'static,
{
    let calls: Arc<Mutex<Vec<Delivery>>> = Arc::default();
    let answer: Arc<dyn DynMiddleware> = Arc::new(Answer { answer, calls: calls.clone() });
    StandIn { chain: Chain::new([answer], Target::Each(nothing_behind)), cut: Cut::new(None), calls }
}

/// A handler that stands in for the rest of a chain, made by [`handler()`].
///
/// ```
/// # use natspubsub::prelude::*;
/// # use natspubsub::testing;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let handler = testing::handler(|_delivery| async { Outcome::Ack });
/// let delivery = testing::delivery("order.created", "ORD-1").build();
/// assert!(matches!(handler.next().run(delivery).await, Outcome::Ack));
/// assert_eq!(handler.calls()[0].context().topic(), "order.created");
/// # }
/// ```
pub struct StandIn {
    chain: Arc<Chain>,
    cut: Cut,
    calls: Arc<Mutex<Vec<Delivery>>>,
}

impl StandIn {
    /// What a middleware calls.
    pub fn next(&self) -> Next<'_> {
        Next::first(&self.chain, &self.cut)
    }

    /// What it was called with so far, in its order.
    pub fn calls(&self) -> Vec<Delivery> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandIn").field("calls", &self.calls().len()).finish()
    }
}

/// Never called: the stand-in does not go further in.
fn nothing_behind(_: Delivery) -> CallFuture {
    Box::pin(std::future::pending())
}

/// What a stand-in does for one call.
struct Answer<F> {
    answer: F,
    calls: Arc<Mutex<Vec<Delivery>>>,
}

impl<F, A> Middleware for Answer<F>
where
    F: Fn(Delivery) -> A + Send + Sync + 'static,
    A: Future<Output = Outcome> + Send + 'static,
{
    async fn handle(&self, delivery: Delivery, _next: Next<'_>) -> Outcome {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(delivery.clone());
        (self.answer)(delivery).await
    }
}
