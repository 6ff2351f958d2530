//! Batches: many messages for one call, each with an outcome of its own.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::delivery::{Delivery, Services};
use super::failure::Failure;
use super::outcome::Outcome;
use super::payload::Payload;
use crate::message::Context;

/// The running handler of one batch; it ends with one outcome for each delivery, in order.
pub(crate) type BatchFuture = Pin<Box<dyn Future<Output = Vec<Outcome>> + Send>>;

/// The messages of one call of a `#[batch_subscriber]`, oldest first.
///
/// Each message is settled on its own: what the handler returns counts for every message that it did not settle by
/// [`BatchMessage::settle`] or one of its short forms. A message that cannot be decoded is not in the batch; it becomes
/// a dead letter alone.
///
/// ```
/// use natspubsub::prelude::*;
///
/// #[derive(serde::Deserialize)]
/// struct OrderCreated { order_id: String, total: f64 }
///
/// #[batch_subscriber("order.created", max = 100, wait = "50ms")]
/// async fn store(orders: Batch<OrderCreated>) -> Result<(), std::io::Error> {
///     for order in &orders {
///         if order.total < 0.0 {
///             order.dead_letter("a total cannot be negative");
///         }
///     }
///     Ok(()) // acknowledges the others
/// }
/// # fn main() {}
/// ```
pub struct Batch<T> {
    messages: Vec<BatchMessage<T>>,
}

/// One message of a [`Batch`]; it derefs to its payload.
///
/// ```
/// use natspubsub::prelude::*;
///
/// #[batch_subscriber("order.created")]
/// async fn store(orders: Batch<String>) {
///     for order in orders {
///         println!("{} is attempt {}", order.to_uppercase(), order.context().attempt());
///     }
/// }
/// # fn main() {}
/// ```
pub struct BatchMessage<T> {
    payload: T,
    context: Context,
    slot: Slot,
}

/// Where the outcome of one message is put.
#[derive(Debug, Clone, Default)]
struct Slot(Arc<Mutex<Option<Outcome>>>);

impl Slot {
    fn set(&self, outcome: Outcome) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }

    fn take(&self) -> Option<Outcome> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> Batch<T> {
    /// How many messages there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// The messages, oldest first.
    pub fn iter(&self) -> std::slice::Iter<'_, BatchMessage<T>> {
        self.messages.iter()
    }
}

impl<T> IntoIterator for Batch<T> {
    type Item = BatchMessage<T>;
    type IntoIter = std::vec::IntoIter<BatchMessage<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.messages.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Batch<T> {
    type Item = &'a BatchMessage<T>;
    type IntoIter = std::slice::Iter<'a, BatchMessage<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: fmt::Debug> fmt::Debug for Batch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|message| &message.payload)).finish()
    }
}

impl<T> BatchMessage<T> {
    /// The payload.
    pub fn payload(&self) -> &T {
        &self.payload
    }

    /// The payload alone; what the handler returns settles the message, unless it was settled before.
    pub fn into_payload(self) -> T {
        self.payload
    }

    /// Where the message comes from and how often it was tried.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Decides about this message; the last decision counts.
    pub fn settle(&self, outcome: Outcome) {
        self.slot.set(outcome);
    }

    /// Done: acknowledge this message.
    pub fn ack(&self) {
        self.settle(Outcome::Ack);
    }

    /// Not now: deliver this message again, after a delay or with the subscriber's backoff.
    pub fn retry(&self, after: Option<Duration>) {
        self.settle(Outcome::Retry { after });
    }

    /// Never: store this message as a dead letter.
    pub fn dead_letter(&self, reason: impl Into<String>) {
        self.settle(Outcome::DeadLetter { reason: reason.into() });
    }

    /// The message no longer matters: acknowledge it and count it as discarded.
    pub fn discard(&self, reason: impl Into<String>) {
        self.settle(Outcome::Discard { reason: reason.into() });
    }

    /// This message failed; the failure's class says what follows.
    pub fn fail(&self, failure: Failure) {
        self.settle(Outcome::Failed(failure));
    }
}

impl<T> Deref for BatchMessage<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.payload
    }
}

impl<T: fmt::Debug> fmt::Debug for BatchMessage<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BatchMessage").field(&self.payload).finish()
    }
}

/// The first argument of a batch handler.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a batch",
    label = "not a batch",
    note = "the first argument of a batch subscriber is `Batch<T>`, where `T` implements `serde::Deserialize`"
)]
pub trait BatchOf: Sized {
    /// The payload of each message.
    type Item;

    /// Decodes every message, and checks its rules; the second value keeps what the first does not hold.
    fn gather(deliveries: Vec<Delivery>, check: fn(&Self::Item) -> Result<(), Failure>) -> (Self, Gathered);
}

impl<T: Payload> BatchOf for Batch<T> {
    type Item = T;

    fn gather(deliveries: Vec<Delivery>, check: fn(&T) -> Result<(), Failure>) -> (Self, Gathered) {
        let mut batch = Self { messages: Vec::with_capacity(deliveries.len()) };
        let mut gathered = Gathered { slots: Vec::with_capacity(deliveries.len()), services: None };
        for delivery in deliveries {
            let slot = Slot::default();
            match T::from_body(&delivery).and_then(|payload| check(&payload).map(|()| payload)) {
                Ok(payload) => {
                    batch.messages.push(BatchMessage {
                        payload,
                        context: delivery.context().clone(),
                        slot: slot.clone(),
                    });
                    gathered.services.get_or_insert_with(|| delivery.shared_services());
                }
                Err(failure) => slot.set(Outcome::Failed(failure)),
            }
            gathered.slots.push(slot);
        }
        (batch, gathered)
    }
}

/// The outcomes of a batch that is being handled.
#[derive(Debug)]
pub struct Gathered {
    slots: Vec<Slot>,
    /// What the application shares; `None` when no message could be decoded.
    services: Option<Arc<Services>>,
}

impl Gathered {
    /// Whether no message could be decoded.
    pub fn is_void(&self) -> bool {
        self.services.is_none()
    }

    /// What the application shares: the arguments of a batch handler belong to no single message.
    pub fn services(&self) -> Arc<Services> {
        self.services.clone().unwrap_or_default()
    }

    /// One outcome for each delivery; `rest` counts where the handler did not decide.
    pub fn settled(self, rest: Outcome) -> Vec<Outcome> {
        self.slots.iter().map(|slot| slot.take().unwrap_or_else(|| repeat(&rest))).collect()
    }

    /// The outcomes when every message was undecodable.
    pub fn outcomes(self) -> Vec<Outcome> {
        self.settled(Outcome::Ack)
    }
}

/// The same outcome again, for another message.
pub(super) fn repeat(outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::Ack => Outcome::Ack,
        Outcome::Duplicate => Outcome::Duplicate,
        Outcome::Retry { after } => Outcome::Retry { after: *after },
        Outcome::DeadLetter { reason } => Outcome::DeadLetter { reason: reason.clone() },
        Outcome::Discard { reason } => Outcome::Discard { reason: reason.clone() },
        Outcome::Failed(failure) => Outcome::Failed(Failure::new(failure.class(), failure.describe())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(body: &'static str) -> Delivery {
        Delivery::new(Context::sample(), bytes::Bytes::from_static(body.as_bytes()), Arc::default())
    }

    fn gather(bodies: &[&'static str]) -> (Batch<u32>, Gathered) {
        Batch::gather(bodies.iter().map(|body| delivery(body)).collect(), |_| Ok(()))
    }

    #[test]
    fn what_the_handler_returns_counts_for_what_it_did_not_settle() {
        let (batch, gathered) = gather(&["1", "2", "3"]);
        batch.iter().nth(1).unwrap().dead_letter("no");
        let outcomes = gathered.settled(Outcome::Failed(Failure::permanent("down")));
        assert!(matches!(&outcomes[0], Outcome::Failed(failure) if failure.describe() == "down"), "{outcomes:?}");
        assert!(matches!(&outcomes[1], Outcome::DeadLetter { reason } if reason == "no"), "{outcomes:?}");
        assert!(matches!(&outcomes[2], Outcome::Failed(failure) if failure.class() == crate::FailureClass::Permanent));
    }

    #[test]
    fn an_undecodable_message_fails_alone_and_keeps_its_place() {
        let (batch, gathered) = gather(&["1", "x", "3"]);
        assert_eq!(batch.into_iter().map(BatchMessage::into_payload).collect::<Vec<_>>(), [1, 3]);
        let outcomes = gathered.settled(Outcome::Ack);
        assert!(matches!(&outcomes[1], Outcome::Failed(_)) && matches!(outcomes[0], Outcome::Ack), "{outcomes:?}");
        let (_, gathered) = gather(&["x"]);
        assert!(gathered.is_void());
        assert!(matches!(gathered.outcomes()[0], Outcome::Failed(_)));
    }
}
