//! Publishing in the transaction of a database: the message waits there, and a relay publishes it.

mod entry;
mod in_transaction;
mod tx;

use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;

pub use entry::OutboxEntry;
pub use in_transaction::InTransaction;
pub use tx::Tx;

use super::author::Author;
use super::draft::Draft;
use super::layers::PublishLayers;
use super::message::MessageBuilder;
use super::outlet::Outlet;
use super::publisher::Publisher;
use crate::clock::{SharedClock, SystemClock};
use crate::config::Config;
use crate::error::Result;
use crate::handler::{Delivery, Failure, FromDelivery, Requirement, Services};
use crate::message::{Context, Encode, Event};
use crate::middleware::NO_SCHEMAS;
use crate::store::SqlStore;
use crate::trace::{Act, Scope};

/// What a server takes unless it is configured otherwise.
const MAX_PAYLOAD: usize = 1024 * 1024;

/// Messages that a transaction writes into the database; a relay publishes them once it is committed.
///
/// The writer never publishes: either the transaction is committed with its messages, or nothing of both happened. Inside a
/// handler with a transaction, [`Tx::publish`] does the same; elsewhere a handler can take the outbox as an argument.
///
/// ```
/// use natspubsub::prelude::*;
/// use natspubsub::store::{Migrations, SqliteStore};
/// use serde::Serialize;
///
/// #[derive(Serialize, Event)]
/// #[event(topic = "order.created", key = "order_id")]
/// struct OrderCreated { order_id: String }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("orders.db");
/// let pool = sqlx::SqlitePool::connect_with(SqliteStore::options(&path)).await?;
/// let store = SqliteStore::new(pool.clone());
/// Migrations::run(&store).await?;
/// let config = Config::builder().url("memory:").app("orders").build()?;
/// let outbox = Outbox::new(&config, store);
///
/// let mut tx = pool.begin().await?;
/// // … the writes of the service, on `&mut *tx` …
/// let queued = outbox.publish(&mut tx, &OrderCreated { order_id: "ORD-1".into() }).await?;
/// tx.commit().await?;
/// assert_eq!(queued.subject, "development.orders.order.created");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Outbox<S> {
    store: S,
    desk: Desk,
    /// The message whose handling writes.
    cause: Option<Context>,
    /// Where it is handled.
    scope: Scope,
}

/// Where the messages of an outbox are written.
#[derive(Clone)]
enum Desk {
    /// Without an application.
    Own { config: Arc<Config>, clock: SharedClock, max_payload: usize },
    /// In an application, which knows what its server takes.
    App(Arc<Outlet>),
}

/// A message that a transaction has written into its outbox.
///
/// ```
/// fn print(queued: &natspubsub::Queued) {
///     println!("{} will go to {}", queued.event_id, queued.subject);
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queued {
    /// The id of the event.
    pub event_id: String,
    /// The subject that it will be published to.
    pub subject: String,
    /// Whether the outbox had a message of this id already, so that nothing was written.
    pub duplicate: bool,
}

impl<S: SqlStore> Outbox<S> {
    /// The outbox of an application in a database. It needs no connection to NATS.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # use natspubsub::store::SqliteStore;
    /// # fn example(pool: sqlx::SqlitePool) -> natspubsub::Result {
    /// let outbox = Outbox::new(&Config::load()?, SqliteStore::new(pool));
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(config: &Config, store: S) -> Self {
        let (config, clock) = (Arc::new(config.clone()), SystemClock::shared());
        Self {
            store,
            desk: Desk::Own { config, clock, max_payload: MAX_PAYLOAD },
            cause: None,
            scope: Scope::default(),
        }
    }

    /// The same outbox with the most bytes that a message may have. Default: what the application's server takes, and 1 MiB
    /// without an application. A message that is larger than the server takes is set aside by the relay.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # use natspubsub::store::SqliteStore;
    /// # fn example(outbox: Outbox<SqliteStore>) -> Outbox<SqliteStore> {
    /// outbox.with_max_payload(8 * 1024 * 1024)
    /// # }
    /// ```
    #[must_use]
    pub fn with_max_payload(mut self, bytes: usize) -> Self {
        let (config, clock) = match self.desk {
            Desk::Own { config, clock, .. } => (config, clock),
            Desk::App(outlet) => (Arc::new(outlet.config.clone()), outlet.clock.clone()),
        };
        self.desk = Desk::Own { config, clock, max_payload: bytes };
        self
    }

    /// The same outbox, for what the handling of a message writes.
    fn caused_by(mut self, cause: &Context) -> Self {
        self.cause = Some(cause.clone());
        self.scope = Scope::current();
        self
    }

    /// Writes an event into the outbox, in the caller's transaction.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # use natspubsub::store::PostgresStore;
    /// # #[derive(serde::Serialize, Event)]
    /// # #[event(topic = "order.created")]
    /// # struct OrderCreated { order_id: String }
    /// async fn create(pool: &sqlx::PgPool, outbox: &Outbox<PostgresStore>) -> Result<(), Box<dyn std::error::Error>> {
    ///     let mut tx = pool.begin().await?;
    ///     outbox.publish(&mut tx, &OrderCreated { order_id: "ORD-1".into() }).await?;
    ///     tx.commit().await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Encode`](crate::ErrorKind::Encode) and
    /// [`ErrorKind::PayloadTooLarge`](crate::ErrorKind::PayloadTooLarge) before anything is written;
    /// [`ErrorKind::Database`](crate::ErrorKind::Database) when the database refuses it, or when the connection is in no
    /// transaction.
    pub async fn publish<E: Event + Encode>(
        &self,
        tx: &mut (impl InTransaction<S::Database> + ?Sized),
        event: &E,
    ) -> Result<Queued> {
        self.event(event).publish(tx).await
    }

    /// Writes one value for several topics into the outbox, in the caller's transaction: under one event id, and message ids
    /// `{event_id}:{topic}`.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # use natspubsub::store::PostgresStore;
    /// # async fn example(tx: &mut sqlx::PgTransaction<'_>, outbox: Outbox<PostgresStore>) -> natspubsub::Result {
    /// let queued = outbox.publish_to(tx, ["notification.email", "audit.user-created"], "Ann").await?;
    /// assert_eq!(queued.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Outbox::publish`]; nothing is written then.
    pub async fn publish_to<T: Encode + ?Sized>(
        &self,
        tx: &mut (impl InTransaction<S::Database> + ?Sized),
        topics: impl IntoIterator<Item = impl Into<String>>,
        value: &T,
    ) -> Result<Vec<Queued>> {
        self.message(value).publish_to(tx, topics).await
    }

    /// Starts a message with a topic, an id, a key, metadata, headers or a delay of the caller's.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # use natspubsub::store::PostgresStore;
    /// # async fn example(tx: &mut sqlx::PgTransaction<'_>, outbox: Outbox<PostgresStore>) -> natspubsub::Result {
    /// let minute = std::time::Duration::from_secs(60);
    /// outbox.message("ORD-1").topic("order.reminded").key("ORD-1").delay(minute).publish(tx).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn message<'a, T: Encode + ?Sized>(&self, value: &'a T) -> MessageBuilder<'a, T, OutboxEntry<S>> {
        MessageBuilder::new(OutboxEntry { outbox: self.clone(), key: None }, value, Draft::topic(""))
    }

    /// Starts the message of an event, to add to it.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # use natspubsub::store::PostgresStore;
    /// # #[derive(serde::Serialize, Event)]
    /// # #[event(topic = "order.created")]
    /// # struct OrderCreated { order_id: String }
    /// # async fn example(tx: &mut sqlx::PgTransaction<'_>, outbox: Outbox<PostgresStore>) -> natspubsub::Result {
    /// let order = OrderCreated { order_id: "ORD-1".into() };
    /// outbox.event(&order).tenant_id("acme").publish(tx).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn event<'a, E: Event + Encode>(&self, event: &'a E) -> MessageBuilder<'a, E, OutboxEntry<S>> {
        MessageBuilder::new(OutboxEntry { outbox: self.clone(), key: event.key() }, event, Draft::of_event(event))
    }

    /// What lies around publishing in the application, if anything does.
    fn layers(&self) -> Option<&PublishLayers> {
        match &self.desk {
            Desk::App(outlet) => Some(&outlet.around.layers).filter(|layers| !layers.is_empty()),
            Desk::Own { .. } => None,
        }
    }

    fn author(&self) -> Author<'_> {
        let (cause, scope, act) = (self.cause.as_ref(), &self.scope, Act::Create);
        match &self.desk {
            Desk::Own { config, clock, max_payload } => Author {
                config,
                clock: &**clock,
                rules: Author::rules(config),
                max_payload: *max_payload,
                schemas: &NO_SCHEMAS,
                cause,
                scope,
                act,
            },
            Desk::App(outlet) => Author { cause, scope, act, ..outlet.author() },
        }
    }

    /// The outbox of an application in its store of this type.
    pub(crate) fn of(services: &Services) -> Result<Self, Failure> {
        let name = std::any::type_name::<S>();
        let missing = || Failure::transient(format!("the application has no {name}; add App::builder().store(..)"));
        let store = services.get::<S>().cloned().ok_or_else(missing)?;
        let publisher = services.get::<Publisher>().ok_or_else(missing)?;
        Ok(Self { store, desk: Desk::App(publisher.outlet().clone()), cause: None, scope: Scope::default() })
    }
}

impl<S: SqlStore> FromDelivery for Outbox<S> {
    fn from_delivery(delivery: &Delivery) -> impl Future<Output = Result<Self, Failure>> + Send {
        ready(Self::of(delivery.services()).map(|outbox| outbox.caused_by(delivery.context())))
    }

    fn requirement() -> Option<Requirement> {
        Some(Requirement::store::<S>())
    }
}

impl<S> fmt::Debug for Outbox<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("store", &std::any::type_name::<S>()).finish_non_exhaustive()
    }
}
