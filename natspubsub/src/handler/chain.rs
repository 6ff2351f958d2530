//! Middleware: layers around the handler.

use std::fmt;
use std::future::{Future, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures::future::Either;

use super::cut::Cut;
use super::delivery::Delivery;
use super::guard::{panicked, watched, work};
use super::outcome::Outcome;
use super::target::{Call, ReplySlot, Target};
use crate::clock::Clock;

/// A layer around every handler, or around one.
///
/// A lower `order` lies further out. What a middleware returns counts as what the handler returned; one that panics or
/// hangs is treated as a handler that does: it has failed, and the subscriber's `timeout` counts for all of them together.
///
/// ```
/// use natspubsub::prelude::*;
///
/// #[derive(Default)]
/// struct Timing;
///
/// impl Middleware for Timing {
///     async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
///         let start = std::time::Instant::now();
///         let outcome = next.run(delivery).await;
///         println!("{:?}", start.elapsed());
///         outcome
///     }
/// }
///
/// let config = Config::builder().url("memory:").app("orders").build()?;
/// let app = App::builder().config(config).middleware(10, Timing).publish_only().build()?;
/// # Ok::<(), natspubsub::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a middleware",
    note = "implement `Middleware` for `{Self}`, or annotate an `async fn(Delivery, Next<'_>) -> Outcome` with `#[middleware]`"
)]
pub trait Middleware: Send + Sync + 'static {
    /// Handles one delivery; `next.run(delivery)` calls what lies further in.
    fn handle(&self, delivery: Delivery, next: Next<'_>) -> impl Future<Output = Outcome> + Send;

    /// Whether it would do nothing now but call what lies further in: then a message passes it by, and it costs nothing.
    /// Asked for each message. Default: `false`.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// use natspubsub::prelude::*;
    ///
    /// static IS_WATCHED: AtomicBool = AtomicBool::new(false);
    ///
    /// struct Watch;
    ///
    /// impl Middleware for Watch {
    ///     async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
    ///         println!("{}", delivery.context().event_id());
    ///         next.run(delivery).await
    ///     }
    ///
    ///     fn is_idle(&self) -> bool {
    ///         !IS_WATCHED.load(Ordering::Relaxed)
    ///     }
    /// }
    /// ```
    fn is_idle(&self) -> bool {
        false
    }
}

/// What lies further in than a middleware: the next middleware, or the handler.
pub struct Next<'a> {
    pub(super) chain: &'a Arc<Chain>,
    /// The layer that is called next.
    pub(super) at: usize,
    pub(super) call: Running<'a>,
}

/// One run of a chain.
#[derive(Clone, Copy)]
pub(super) struct Running<'a> {
    pub(super) cut: &'a Cut,
    /// Where a responder puts its reply.
    pub(super) slot: Option<&'a ReplySlot>,
}

/// The middleware around one handler, outermost first, and the handler.
pub(crate) struct Chain {
    layers: Box<[Arc<dyn DynMiddleware>]>,
    target: Target,
}

impl Chain {
    pub(crate) fn new(layers: impl IntoIterator<Item = Arc<dyn DynMiddleware>>, target: Target) -> Arc<Self> {
        Arc::new(Self { layers: layers.into_iter().collect(), target })
    }

    /// Calls middleware and handler under a time limit; what panics or is too slow has failed.
    pub(crate) async fn run(
        self: &Arc<Self>,
        clock: &dyn Clock,
        limit: Option<Duration>,
        delivery: Delivery,
        slot: Option<&ReplySlot>,
    ) -> Outcome {
        let cut = Cut::new(limit);
        let next = Next { chain: self, at: 0, call: Running { cut: &cut, slot } };
        let running = pin!(work(next.run(delivery)));
        watched(clock, limit, Some(&cut), running).await.unwrap_or_else(Outcome::Failed)
    }
}

impl<'a> Next<'a> {
    /// A whole chain, for a call of its own.
    #[cfg(feature = "testing")]
    pub(crate) fn first(chain: &'a Arc<Chain>, cut: &'a Cut) -> Self {
        Self { chain, at: 0, call: Running { cut, slot: None } }
    }

    /// Calls what lies further in and returns its outcome. The call itself only makes a future; it runs when it is awaited.
    ///
    /// A handler that panics, or that the subscriber's `timeout` cuts off, has an outcome too: a failure of that class.
    pub fn run(self, delivery: Delivery) -> impl Future<Output = Outcome> + Send + use<'a> {
        // A middleware that is no `async fn` has code of its own that makes its future.
        let made = catch_unwind(AssertUnwindSafe(|| self.make(delivery)));
        match made {
            Ok(made) => Either::Left(made),
            Err(panic) => Either::Right(ready(Outcome::Failed(panicked(panic)))),
        }
    }

    fn make(self, delivery: Delivery) -> Either<Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>, Call<'a>> {
        let Self { chain, at, call } = self;
        let mut layers = chain.layers.iter().enumerate().skip(at);
        match layers.find(|(_, layer)| !layer.is_idle_dyn()) {
            Some((at, layer)) => Either::Left(layer.handle_dyn(delivery, Next { at: at + 1, ..self })),
            None => Either::Right(chain.target.call(delivery, call.cut, call.slot)),
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("layers", &(self.chain.layers.len() - self.at)).finish()
    }
}

/// [`Middleware`] behind a pointer.
pub(crate) trait DynMiddleware: Send + Sync + 'static {
    fn handle_dyn<'a>(
        &'a self,
        delivery: Delivery,
        next: Next<'a>,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

    fn is_idle_dyn(&self) -> bool;
}

impl<M: Middleware> DynMiddleware for M {
    fn handle_dyn<'a>(
        &'a self,
        delivery: Delivery,
        next: Next<'a>,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
        Box::pin(self.handle(delivery, next))
    }

    fn is_idle_dyn(&self) -> bool {
        self.is_idle()
    }
}
