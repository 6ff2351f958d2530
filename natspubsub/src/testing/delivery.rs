//! Deliveries, batches and dead letters for plain unit tests.

use bytes::Bytes;

use super::context::{ContextBuilder, context};
use crate::handler::{Batch, BatchOf, Delivery, Gathered, Outcome, Payload, Services};
use crate::message::{Context, Encode};

/// A delivery for a plain call of a middleware or an extractor: a topic of the application `app`, and a value.
///
/// ```
/// use natspubsub::prelude::*;
/// use natspubsub::testing;
///
/// struct RequestId(String);
///
/// impl FromDelivery for RequestId {
///     async fn from_delivery(delivery: &Delivery) -> Result<Self, Failure> {
///         let id = delivery.context().headers().get("x-request-id");
///         id.map(|id| Self(id.to_owned())).ok_or_else(|| Failure::validation("no x-request-id"))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let delivery = testing::delivery("order.created", "ORD-1").context(|ctx| ctx.header("x-request-id", "r-7")).build();
/// assert_eq!(RequestId::from_delivery(&delivery).await.unwrap().0, "r-7");
/// let bare = testing::delivery("order.created", "ORD-1").build();
/// assert!(RequestId::from_delivery(&bare).await.is_err());
/// # }
/// ```
///
/// # Panics
/// When the value cannot be encoded.
#[track_caller]
pub fn delivery<T: Encode + ?Sized>(topic: &str, value: &T) -> DeliveryBuilder {
    let mut body = Vec::new();
    if let Err(fault) = value.encode(&mut body) {
        panic!("the value of the delivery cannot be encoded: {fault}");
    }
    DeliveryBuilder { context: context().topic(topic), body: body.into(), services: Services::default() }
}

/// What a delivery holds, made by [`delivery()`].
///
/// ```
/// let delivery = natspubsub::testing::delivery("order.created", &7).build();
/// assert_eq!(delivery.context().topic(), "order.created");
/// assert_eq!(&delivery.body()[..], b"7");
/// ```
#[derive(Debug, Clone)]
#[must_use = "the delivery is made by `.build()`"]
pub struct DeliveryBuilder {
    context: ContextBuilder,
    body: Bytes,
    services: Services,
}

impl DeliveryBuilder {
    /// Says more about where the message comes from.
    ///
    /// ```
    /// # use natspubsub::testing;
    /// let third = testing::delivery("order.created", "ORD-1").context(|context| context.attempt(3)).build();
    /// assert_eq!(third.context().attempt(), 3);
    /// ```
    pub fn context(mut self, more: impl FnOnce(ContextBuilder) -> ContextBuilder) -> Self {
        self.context = more(self.context);
        self
    }

    /// Shares a value with who reads the delivery, as [`AppBuilder::state`](crate::AppBuilder::state) does. A
    /// `Publisher` is for the extractor of that name.
    ///
    /// ```
    /// use natspubsub::prelude::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let delivery = natspubsub::testing::delivery("order.created", "ORD-1").state(7_u32).build();
    /// let State(number) = State::<u32>::from_delivery(&delivery).await.unwrap();
    /// assert_eq!(number, 7);
    /// # }
    /// ```
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.services.insert(value);
        self
    }

    /// Puts other bytes in place of the value, for what cannot be decoded.
    ///
    /// ```
    /// use natspubsub::{Payload, testing};
    /// let delivery = testing::delivery("order.created", "").body("no JSON").build();
    /// assert!(String::from_body(&delivery).is_err());
    /// ```
    pub fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        self.body = bytes.into();
        self
    }

    /// Makes the delivery.
    ///
    /// # Panics
    /// As [`ContextBuilder::build`].
    #[track_caller]
    pub fn build(self) -> Delivery {
        made(self.context.build(), self.body, self.services)
    }
}

/// A delivery of parts that are made already.
pub(super) fn made(context: Context, body: Bytes, services: Services) -> Delivery {
    Delivery::new(context, body, services.into())
}

/// A batch for a plain call of a batch handler, and what its messages end with.
///
/// ```
/// use natspubsub::prelude::*;
/// use natspubsub::testing;
///
/// #[batch_subscriber("order.created")]
/// async fn store(totals: Batch<i64>) {
///     for total in &totals {
///         if **total < 0 {
///             total.dead_letter("a total cannot be negative");
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let deliveries = [10, -1].map(|total| testing::delivery("order.created", &total).build());
/// let (totals, settlement) = testing::batch(deliveries);
/// store(totals).await;
/// let outcomes = settlement.outcomes(Outcome::Ack);
/// assert!(matches!(outcomes[..], [Outcome::Ack, Outcome::DeadLetter { .. }]));
/// # }
/// ```
///
/// # Panics
/// When no delivery holds a `T`: a handler never receives an empty batch.
#[track_caller]
pub fn batch<T: Payload>(deliveries: impl IntoIterator<Item = Delivery>) -> (Batch<T>, Settlement) {
    let (batch, gathered) = Batch::gather(deliveries.into_iter().collect(), |_| Ok(()));
    assert!(!gathered.is_void(), "no delivery of the batch holds a {}", std::any::type_name::<T>());
    (batch, Settlement(gathered))
}

/// What the messages of a [`batch`] end with.
///
/// ```
/// use natspubsub::{Outcome, testing};
/// let (batch, settlement) = testing::batch::<u8>([testing::delivery("a", &1).build()]);
/// batch.iter().for_each(|message| message.discard("old"));
/// assert!(matches!(settlement.outcomes(Outcome::Ack)[..], [Outcome::Discard { .. }]));
/// ```
#[derive(Debug)]
pub struct Settlement(Gathered);

impl Settlement {
    /// One outcome for each delivery, in their order; `rest` is what the handler returned, which counts for those that
    /// it did not settle. A delivery that could not be decoded has failed.
    pub fn outcomes(self, rest: Outcome) -> Vec<Outcome> {
        self.0.settled(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "no delivery of the batch holds a u8")]
    fn a_batch_is_never_empty() {
        batch::<u8>([delivery("a", "text").build()]);
    }

    #[test]
    fn what_cannot_be_decoded_is_not_in_the_batch_and_keeps_its_place() {
        let (numbers, settlement) = batch::<u8>([delivery("a", "text").build(), delivery("a", &1).build()]);
        assert_eq!(numbers.len(), 1);
        assert!(matches!(settlement.outcomes(Outcome::Ack)[..], [Outcome::Failed(_), Outcome::Ack]));
    }

    #[test]
    #[should_panic(expected = "order..created")]
    fn a_topic_that_is_none_is_refused() {
        delivery("order..created", "").build();
    }
}
