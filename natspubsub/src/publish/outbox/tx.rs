//! The transaction of a handler: its inbox row, its writes and its messages are committed together.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use super::{Outbox, OutboxEntry, Queued};
use crate::error::{Error, Result};
use crate::failpoints::{Point, Sabotage, reached, sabotaged};
use crate::handler::{Begun, Delivery, Failure, FailureClass, Outcome, Requirement, TakesTransaction};
use crate::message::{Encode, Event};
use crate::publish::message::MessageBuilder;
use crate::store::{Entered, InboxKey, SqlStore, StoredIn, is_outage};

/// The pause before a message that another transaction is at is tried again.
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// The pause of a subscriber whose database does not answer.
const OUTAGE_PAUSE: Duration = Duration::from_secs(5);

/// The transaction of a handler that takes `&mut Tx<Postgres>` or `&mut Tx<Sqlite>`.
///
/// The message is marked as handled in it first; then come the writes of the handler, on `&mut **tx`, and what it publishes.
/// It is committed when the handler succeeds, and the message is acknowledged after that. When the handler fails, nothing of
/// it remains. So the effects in the database happen exactly once per durable and event id, even when the message is
/// delivered again. With `inbox = false` the message is not marked, and may be handled again.
///
/// ```
/// use natspubsub::prelude::*;
/// # #[derive(serde::Deserialize)]
/// # struct OrderCreated { order_id: String, total: i64 }
/// # #[derive(serde::Serialize, Event)]
/// # #[event(topic = "payment.taken")]
/// # struct PaymentTaken { order_id: String }
///
/// #[topic_subscriber("order.created")]
/// async fn take_payment(order: OrderCreated, tx: &mut Tx<Sqlite>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
///     sqlx::query("INSERT INTO payments (order_id, amount) VALUES (?, ?)")
///         .bind(&order.order_id)
///         .bind(order.total)
///         .execute(&mut **tx)
///         .await?;
///     tx.publish(&PaymentTaken { order_id: order.order_id }).await?;
///     Ok(())
/// }
/// # fn main() {}
/// ```
pub struct Tx<DB: StoredIn> {
    transaction: sqlx::Transaction<'static, DB>,
    outbox: Outbox<DB::Store>,
    /// What is marked as handled.
    handling: Option<InboxKey>,
    /// Whether there are messages that relays have to hear of.
    pub(super) has_written: bool,
}

impl<DB: StoredIn> Tx<DB> {
    /// Writes an event into the outbox, as part of the transaction. It carries correlation and causation of the handled
    /// message.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # #[derive(serde::Serialize, Event)]
    /// # #[event(topic = "payment.taken")]
    /// # struct PaymentTaken { order_id: String }
    /// #[topic_subscriber("order.created")]
    /// async fn take_payment(order_id: String, tx: &mut Tx<Postgres>) -> Result<()> {
    ///     tx.publish(&PaymentTaken { order_id }).await?;
    ///     Ok(())
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// As [`Outbox::publish`].
    pub async fn publish<E: Event + Encode>(&mut self, event: &E) -> Result<Queued> {
        let message = self.outbox.event(event);
        message.publish(self).await
    }

    /// Writes one value for several topics into the outbox, as [`Outbox::publish_to`] does.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(tx: &mut Tx<Postgres>) -> natspubsub::Result {
    /// tx.publish_to(["notification.email", "audit.user-created"], "Ann").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Outbox::publish_to`].
    pub async fn publish_to<T: Encode + ?Sized>(
        &mut self,
        topics: impl IntoIterator<Item = impl Into<String>>,
        value: &T,
    ) -> Result<Vec<Queued>> {
        let message = self.outbox.message(value);
        message.publish_to(self, topics).await
    }

    /// Starts a message for the outbox with a topic, an id, a key, headers or a delay of the caller's.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(tx: &mut Tx<Postgres>) -> natspubsub::Result {
    /// tx.message("ORD-1").topic("order.paid").key("ORD-1").publish(tx).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn message<'a, T: Encode + ?Sized>(&self, value: &'a T) -> MessageBuilder<'a, T, OutboxEntry<DB::Store>> {
        self.outbox.message(value)
    }

    async fn entered(outbox: Outbox<DB::Store>, handling: Option<InboxKey>) -> Result<Option<Begun<Self>>> {
        let mut transaction = outbox.store.begin().await?;
        let Some(key) = handling else {
            return Ok(Some(Begun::First(Self { transaction, outbox, handling: None, has_written: false })));
        };
        let entered = outbox.store.enter_handling(&mut transaction, &key).await?;
        if sabotaged(Sabotage::InboxInSeparateTransaction) && entered == Entered::First {
            transaction.rollback().await.map_err(Error::from)?;
            transaction = outbox.store.begin().await?;
        }
        Ok(match entered {
            Entered::First => Some(Begun::First(Self { transaction, outbox, handling: Some(key), has_written: false })),
            Entered::Processed => Some(Begun::Processed),
            Entered::Busy => None,
        })
    }

    /// What else the database has to hear of: nothing, unless the tests ask for a mistake.
    async fn mark_apart(outbox: &Outbox<DB::Store>, handling: Option<InboxKey>) -> Result<()> {
        let Some(key) = handling.filter(|_| sabotaged(Sabotage::InboxInSeparateTransaction)) else { return Ok(()) };
        let mut transaction = outbox.store.begin().await?;
        outbox.store.enter_handling(&mut transaction, &key).await?;
        Ok(transaction.commit().await?)
    }
}

impl<DB: StoredIn> TakesTransaction for Tx<DB> {
    fn requirement() -> Option<Requirement> {
        Some(Requirement::store::<DB::Store>())
    }

    async fn begin(delivery: &Delivery, inbox: bool) -> Result<Begun<Self>, Failure> {
        let outbox = Outbox::<DB::Store>::of(delivery.services())?.caused_by(delivery.context());
        let handling = inbox.then(|| InboxKey::of(delivery.context()));
        match Self::entered(outbox, handling).await {
            Ok(Some(begun)) => Ok(begun),
            Ok(None) => Err(Failure::new(
                FailureClass::Busy { after: BUSY_PAUSE },
                "another transaction handles this message and has not ended",
            )),
            Err(error) => Err(failure(error)),
        }
    }

    async fn end(self, outcome: Outcome) -> Outcome {
        let Self { transaction, outbox, handling, has_written } = self;
        if !matches!(outcome, Outcome::Ack | Outcome::Discard { .. }) {
            // A connection that is lost has rolled it back.
            if let Err(error) = transaction.rollback().await {
                tracing::debug!(%error, "the transaction of a failed handler could not be rolled back");
            }
            return outcome;
        }
        reached(Point::BeforeCommit).await;
        if let Err(error) = outbox.store.commit(transaction).await {
            return Outcome::Failed(failure(error));
        }
        reached(Point::AfterCommitBeforeAck).await;
        if has_written {
            outbox.store.ring();
        }
        match Self::mark_apart(&outbox, handling).await {
            Ok(()) => outcome,
            Err(error) => Outcome::Failed(failure(error)),
        }
    }
}

/// While the database is away nothing can be handled, and nothing is wrong with the message.
fn failure(error: Error) -> Failure {
    match is_outage(&error) {
        true => Failure::new(FailureClass::Infrastructure { pause: OUTAGE_PAUSE }, error),
        false => Failure::transient(error),
    }
}

impl<DB: StoredIn> Deref for Tx<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        &self.transaction
    }
}

impl<DB: StoredIn> DerefMut for Tx<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        &mut self.transaction
    }
}

impl<DB: StoredIn> fmt::Debug for Tx<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").field("handling", &self.handling).finish_non_exhaustive()
    }
}
