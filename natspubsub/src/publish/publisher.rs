//! The publisher: cheap to clone, usable from any task.

use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use natspubsub_grammar::normalize_topic;
use tokio_util::task::TaskTracker;

use super::dead_letters::DeadLetters;
use super::message::{Draft, MessageBuilder};
use super::outlet::Outlet;
use crate::clock::{SharedClock, SystemClock, event_id};
use crate::config::{Config, WireHeaders};
use crate::error::{Error, ErrorKind, Result};
use crate::handler::{Delivery, Failure, FromDelivery, FromServices, Requirement, Services};
use crate::message::{Context, Encode, Event, Metadata, Sheet, WireRules, WriteFault, write};
use crate::transport::{Outbound, SharedTransport, Stored};

/// Publishes messages to the application's stream and waits until they are stored.
///
/// Inside a handler, take it as an argument: it then carries correlation and causation of the handled message. Outside
/// it comes from [`RunningApp::publisher`](crate::RunningApp::publisher) or [`Publisher::connect`].
///
/// ```
/// use natspubsub::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> natspubsub::Result {
/// let config = Config::builder().url("memory:publisher-doc").app("orders").build()?;
/// let publisher = Publisher::connect(config).await?;
/// let published = publisher.publish("order.created", &serde_json::json!({ "order_id": "ORD-1" })).await?;
/// assert_eq!(published.subject, "development.orders.order.created");
/// assert_eq!(published.sequence, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Publisher {
    outlet: Arc<Outlet>,
    /// The message whose handling publishes.
    cause: Option<Context>,
}

/// Where a message was stored.
///
/// ```
/// use natspubsub::Published;
/// fn log(published: &Published) {
///     println!("{} is message {} of {}", published.event_id, published.sequence, published.stream);
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The event's id.
    pub event_id: String,
    /// The full subject.
    pub subject: String,
    /// The stream that stored the message.
    pub stream: String,
    /// The message's sequence number in the stream.
    pub sequence: u64,
    /// Whether the stream already had a message with this id inside its duplicate window; it was not stored again.
    pub duplicate: bool,
}

impl Publisher {
    pub(crate) fn new(transport: SharedTransport, clock: SharedClock, config: Config) -> Self {
        Self { outlet: Arc::new(Outlet { transport, clock, config, under_way: TaskTracker::new() }), cause: None }
    }

    /// Connects a publisher of its own, without an application, and creates the application's streams if they are
    /// missing.
    ///
    /// ```no_run
    /// # async fn example() -> natspubsub::Result {
    /// let publisher = natspubsub::Publisher::connect(natspubsub::Config::load()?).await?;
    /// publisher.publish("order.created", &serde_json::json!({ "order_id": "ORD-1" })).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Connect`] when no server answers within `connect_timeout`; [`ErrorKind::Start`] when a stream
    /// cannot be created.
    pub async fn connect(config: Config) -> Result<Self> {
        let clock = SystemClock::shared();
        let transport = crate::transport::connect(&config, &clock, |text| tracing::warn!("{text}")).await?;
        let empty = crate::registry::Registry::default();
        let plan =
            crate::topology::plan(&empty, &config).map_err(|faults| Error::new(ErrorKind::Start, faults.join("\n")))?;
        let applied = crate::topology::apply(&plan, transport.as_ref()).await;
        applied.map_err(|faults| Error::new(ErrorKind::Start, faults.join("\n")))?;
        Ok(Self::new(transport, clock, config))
    }

    /// Publishes a value under a topic and waits until it is stored.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// #[topic_subscriber("order.created")]
    /// async fn on_order(order: serde_json::Value, publisher: Publisher) -> Result<()> {
    ///     publisher.publish("stock.reserved", &order).await?;
    ///     Ok(())
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`], [`ErrorKind::Encode`] and [`ErrorKind::PayloadTooLarge`] before anything is
    /// sent; [`ErrorKind::Rejected`] when the message is certainly not stored; [`ErrorKind::Unknown`] when it may be;
    /// [`ErrorKind::ShuttingDown`] when the application has drained: it is not stored.
    pub async fn publish<T: Encode + ?Sized>(&self, topic: &str, value: &T) -> Result<Published> {
        self.message(value).topic(topic).publish().await
    }

    /// Publishes an event under the topic that its type declares and waits until it is stored.
    ///
    /// ```
    /// use natspubsub::prelude::*;
    ///     ///
    /// #[derive(Serialize, Event)]
    /// #[event(topic = "order.created")]
    /// struct OrderCreated { order_id: String }
    ///
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.send(&OrderCreated { order_id: "ORD-1".into() }).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    pub async fn send<E: Event + Encode>(&self, event: &E) -> Result<Published> {
        let mut message = self.message(event).topic(E::TOPIC);
        message.draft.message_type = Some(E::MESSAGE_TYPE);
        message.draft.version = E::VERSION;
        message.draft.event_id = event.id();
        message.publish().await
    }

    /// Starts a message with an event id, a correlation id or headers of the caller's.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.message("ORD-1").topic("order.created").header("x-request-id", "r-1").publish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn message<'a, T: Encode + ?Sized>(&'a self, value: &'a T) -> MessageBuilder<'a, T> {
        MessageBuilder::new(self, value)
    }

    /// Refuses further messages and waits until those on their way have their answer.
    pub(crate) async fn close(&self, limit: Duration) {
        self.outlet.close(limit).await;
    }

    /// Refuses further messages.
    pub(crate) fn refuse(&self) {
        self.outlet.under_way.close();
    }

    /// The dead letters of the application, to run them again once their cause is mended.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.dead_letters().replay(7).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn dead_letters(&self) -> DeadLetters {
        DeadLetters::new(self.outlet.clone())
    }

    pub(super) async fn publish_draft<T: Encode + ?Sized>(&self, draft: &Draft, value: &T) -> Result<Published> {
        draft.check()?;
        let topic = normalize_topic(draft.topic.as_deref().unwrap_or_default())?;
        let subject = self.outlet.config.namespace.subject(&topic);
        natspubsub_grammar::check_subject(&subject)?;
        let now = self.outlet.clock.now();
        let event_id = draft.event_id.clone().unwrap_or_else(|| event_id(&*self.outlet.clock, now).to_string());
        let sheet = Sheet {
            event_id: &event_id,
            message_id: &event_id,
            schema_version: draft.version,
            topic: &topic,
            message_type: draft.message_type,
            producer: self.outlet.config.app(),
            occurred_at: now,
            published_at: now,
            metadata: self.metadata(draft),
            headers: draft.headers.clone(),
        };
        let full_headers = self.outlet.config.wire_headers == WireHeaders::Full;
        let rules = WireRules { full_headers, mirror_payload: false, compress_above: None };
        let written = write(sheet, value, &rules, self.outlet.transport.max_payload());
        let (headers, body) = written.map_err(|fault| match fault {
            WriteFault::TooLarge { size } => self.outlet.too_large(&subject, size),
            WriteFault::Encode(error) => {
                let name = std::any::type_name::<T>();
                let text = format!("a {name} for topic {topic:?} could not be written");
                Error::new(ErrorKind::Encode, text).with_source(error)
            }
        })?;
        let outbound = Outbound { subject, headers, body };
        let Stored { stream, sequence, duplicate } = self.outlet.store(&outbound).await?;
        Ok(Published { event_id, subject: outbound.subject, stream, sequence, duplicate })
    }

    /// What a message published here says about its cause: correlation is kept, causation is the handled event.
    fn metadata(&self, draft: &Draft) -> Metadata {
        let correlation_id = draft.correlation_id.clone();
        let Some(cause) = &self.cause else { return Metadata { correlation_id, ..Metadata::default() } };
        Metadata {
            trace_id: cause.trace_id().map(str::to_owned),
            correlation_id: correlation_id
                .or_else(|| Some(cause.correlation_id().unwrap_or(cause.event_id()).to_owned())),
            causation_id: Some(cause.event_id().to_owned()),
            ..Metadata::default()
        }
    }
}

impl FromDelivery for Publisher {
    fn from_delivery(delivery: &Delivery) -> impl Future<Output = Result<Self, Failure>> + Send {
        let publisher = delivery
            .services()
            .get::<Self>()
            .map(|publisher| Self { outlet: publisher.outlet.clone(), cause: Some(delivery.context().clone()) });
        ready(publisher.ok_or_else(|| Failure::transient("the application has no publisher")))
    }

    fn requirement() -> Option<Requirement> {
        None
    }
}

impl FromServices for Publisher {
    fn from_services(services: &Services) -> Result<Self, Failure> {
        services.get::<Self>().cloned().ok_or_else(|| Failure::transient("the application has no publisher"))
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("config", &self.outlet.config).finish_non_exhaustive()
    }
}
