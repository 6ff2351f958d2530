//! What lies innermost: the handler, in each of its shapes.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::batcher::Batcher;
use super::cut::Cut;
use super::delivery::Delivery;
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
    pub(super) async fn call(&self, delivery: Delivery, cut: &Cut, slot: Option<&ReplySlot>) -> Outcome {
        match self {
            Self::Each(call) => match cut.around(|| call(delivery)).await {
                Ok(outcome) => outcome,
                Err(failure) => Outcome::Failed(failure),
            },
            // In a box: it is large, and most handlers take one message.
            Self::Batch(batcher) => Box::pin(batcher.submit(delivery)).await,
            Self::Reply(call) => match cut.around(|| call(delivery)).await.and_then(|replied| replied) {
                Ok(reply) => {
                    if let Some(slot) = slot {
                        slot.put(reply);
                    }
                    Outcome::Ack
                }
                Err(failure) => Outcome::Failed(failure),
            },
        }
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
