//! What lies innermost: the handler, in each of its shapes.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::FutureExt;

use super::batcher::Batcher;
use super::cut::{Around, Cut};
use super::delivery::Delivery;
use super::failure::Failure;
use super::outcome::Outcome;
use super::value::ReplyFuture;

/// The running handler of one delivery.
pub(crate) type CallFuture = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What lies innermost.
pub(crate) enum Target {
    /// A handler of one message.
    Each(fn(Delivery) -> CallFuture),
    /// A handler of many; it limits the time of each batch itself.
    Batch(Batcher),
    /// A handler of one request.
    Reply(fn(Delivery) -> ReplyFuture),
}

impl Target {
    /// Calls the handler. What it panics with is caught here already, so that the middleware around it learns how it ended.
    pub(super) fn call<'a>(&'a self, delivery: Delivery, cut: &'a Cut, slot: Option<&'a ReplySlot>) -> Call<'a> {
        match self {
            Self::Each(call) => Call::Each(cut.around(call(delivery))),
            // In a box: it is large, and most handlers take one message.
            Self::Batch(batcher) => Call::Batch(Box::pin(batcher.submit(delivery))),
            Self::Reply(call) => Call::Reply(cut.around(call(delivery)), slot),
        }
    }
}

/// A handler that runs; made by [`Target::call`].
pub(super) enum Call<'a> {
    Each(Around<'a, Outcome>),
    Batch(Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>),
    Reply(Around<'a, Result<Bytes, Failure>>, Option<&'a ReplySlot>),
}

impl Future for Call<'_> {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        Poll::Ready(match self.get_mut() {
            Self::Each(running) => ready!(running.poll_unpin(context)).unwrap_or_else(Outcome::Failed),
            Self::Batch(running) => ready!(running.poll_unpin(context)),
            Self::Reply(running, slot) => match ready!(running.poll_unpin(context)).and_then(|replied| replied) {
                Ok(reply) => {
                    if let Some(slot) = slot {
                        slot.put(reply);
                    }
                    Outcome::Ack
                }
                Err(failure) => Outcome::Failed(failure),
            },
        })
    }
}

/// Where a responder puts its reply: what passes through middleware is an outcome.
#[derive(Debug, Default)]
pub(crate) struct ReplySlot(Mutex<Option<Bytes>>);

impl ReplySlot {
    pub(super) fn put(&self, reply: Bytes) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply);
    }

    /// The reply, if the responder ran and had one.
    pub(crate) fn take(&self) -> Option<Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
