//! Middleware: layers around the handler.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::batcher::Batcher;
use super::delivery::Delivery;
use super::outcome::Outcome;
use super::value::ReplyFuture;

/// The running handler of one delivery.
pub(crate) type CallFuture = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A layer around every handler.
///
/// A lower `order` lies further out. What a middleware returns counts as what the handler returned; a panic in it
/// is treated like a panic in the handler.
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
}

/// What lies further in than a middleware: the next middleware, or the handler.
pub struct Next<'a> {
    layers: &'a [Arc<dyn DynMiddleware>],
    target: Target<'a>,
}

/// What lies innermost.
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    /// A handler of one message.
    Each(fn(Delivery) -> CallFuture),
    /// A handler of many.
    Batch(&'a Batcher),
    /// A handler of one request, and where its reply is put.
    Reply(fn(Delivery) -> ReplyFuture, &'a ReplySlot),
}

/// Where a responder puts its reply: what passes through middleware is an outcome.
#[derive(Debug, Default)]
pub(crate) struct ReplySlot(Mutex<Option<Bytes>>);

impl ReplySlot {
    fn put(&self, reply: Bytes) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply);
    }

    /// The reply, if the responder ran and had one.
    pub(crate) fn take(&self) -> Option<Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<'a> Next<'a> {
    pub(crate) fn new(layers: &'a [Arc<dyn DynMiddleware>], target: Target<'a>) -> Self {
        Self { layers, target }
    }

    /// Calls what lies further in and returns its outcome.
    pub async fn run(self, delivery: Delivery) -> Outcome {
        match self.layers.split_first() {
            Some((layer, layers)) => layer.handle_dyn(delivery, Next { layers, target: self.target }).await,
            None => match self.target {
                Target::Each(call) => call(delivery).await,
                Target::Batch(batcher) => batcher.submit(delivery).await,
                Target::Reply(call, slot) => match call(delivery).await {
                    Ok(reply) => {
                        slot.put(reply);
                        Outcome::Ack
                    }
                    Err(failure) => Outcome::Failed(failure),
                },
            },
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("layers", &self.layers.len()).finish()
    }
}

/// [`Middleware`] behind a pointer.
pub(crate) trait DynMiddleware: Send + Sync + 'static {
    fn handle_dyn<'a>(
        &'a self,
        delivery: Delivery,
        next: Next<'a>,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;
}

impl<M: Middleware> DynMiddleware for M {
    fn handle_dyn<'a>(
        &'a self,
        delivery: Delivery,
        next: Next<'a>,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
        Box::pin(self.handle(delivery, next))
    }
}
