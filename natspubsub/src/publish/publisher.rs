//! The publisher: cheap to clone, usable from any task.

use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use natspubsub_grammar::Pattern;
use serde::de::DeserializeOwned;

use super::around::Around;
use super::author::Author;
use super::batch::PublishBatch;
use super::buffered::BufferedPublisher;
use super::dead_letters::DeadLetters;
use super::draft::{Draft, Prepared};
use super::measured::failure;
use super::message::MessageBuilder;
use super::outlet::{Outlet, Reserved};
use super::published::{PublishListener, Published};
use super::report::MultiPublished;
use super::request::{self, RequestMany};
use super::subject::SubjectPublisher;
use crate::clock::{SharedClock, SystemClock};
use crate::config::{Config, PLAN, plan_asked};
use crate::error::{Error, ErrorKind, Result};
use crate::handler::{Delivery, Failure, FromDelivery, FromServices, Requirement, Services};
use crate::message::{Context, Encode, Event, Headers};
use crate::topology::Feature;
use crate::trace::Scope;
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
    /// Its connection among those that publishers share.
    lane: usize,
    /// The message whose handling publishes.
    cause: Option<Context>,
    /// Where it is handled.
    scope: Scope,
    listener: Option<PublishListener>,
}

impl Publisher {
    pub(crate) fn new(
        transport: SharedTransport,
        clock: SharedClock,
        config: Config,
        listener: Option<PublishListener>,
        around: Around,
        patterns: Vec<Pattern>,
    ) -> Self {
        let outlet = Outlet::new(transport, clock, config, around, patterns);
        Self { outlet: Arc::new(outlet), lane: 0, cause: None, scope: Scope::default(), listener }
    }

    /// How many messages are accepted and not finished, buffered ones included.
    #[cfg(feature = "testing")]
    pub(crate) fn under_way(&self) -> usize {
        self.outlet.under_way()
    }

    /// A publisher of another application of the same environment.
    #[cfg(feature = "testing")]
    pub(crate) fn of(&self, app: &str) -> Result<Self> {
        let mut config = self.outlet.config.clone();
        config.namespace = crate::subject::Namespace::new(config.env(), app)?;
        let (transport, clock) = (self.outlet.transport.clone(), self.outlet.clock.clone());
        Ok(Self::new(transport, clock, config, None, Around::default(), Vec::new()))
    }

    /// Another publisher on the same outlet; with several connections they take turns.
    fn sibling(&self) -> Self {
        Self { lane: self.outlet.next_lane(), scope: Scope::current(), ..self.clone() }
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
    /// cannot be created, or when `NATSPUBSUB_PLAN` asks for a program that changes nothing.
    pub async fn connect(config: Config) -> Result<Self> {
        if plan_asked().is_some() {
            let text = format!(
                "{PLAN} is set, so that nothing may be changed, and a publisher of its own makes streams and stores messages; leave the variable out, or take the publisher of an application"
            );
            return Err(Error::new(ErrorKind::Start, text));
        }
        let clock = SystemClock::shared();
        let transport = crate::transport::connect(&config, &clock, |text| tracing::warn!("{text}")).await?;
        let empty = crate::registry::Registry::default();
        let fault = |faults: Vec<String>| Error::new(ErrorKind::Start, faults.join("\n"));
        let mut plan = crate::topology::plan(&empty, &config).map_err(fault)?;
        let terms = crate::topology::Terms::of(&config);
        crate::topology::manage(&mut plan, &terms, transport.as_ref(), &*clock).await.map_err(fault)?;
        crate::metrics::describe();
        Ok(Self::new(transport, clock, config, None, Around::default(), Vec::new()))
    }

    /// Publishes a value under a topic and waits until it is stored.
    ///
    /// Dropping the future takes nothing back: a message that was sent already may be stored.
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
        self.message(value).topic(topic).begin()?.await
    }

    /// Publishes an event under the topic that its type declares and waits until it is stored.
    ///
    /// ```
    /// use natspubsub::prelude::*;
    /// use serde::Serialize;
    ///
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
        self.event_message(event).begin()?.await
    }

    /// Publishes one event to several topics, at the same time, and waits until each has its result.
    ///
    /// Every message carries the same event id; the server's message id also names the topic, so that the topics of one
    /// stream are not taken for duplicates of each other. [`MessageBuilder::publish_to`] takes an event id of the
    /// caller's, so that it can be repeated.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) {
    /// let published = publisher.publish_to(["notification.email", "audit.user-created"], "Ann").await;
    /// for failed in published.results.iter().filter(|result| result.is_err()) {
    ///     eprintln!("{}: {:?}", failed.topic, failed.result);
    /// }
    /// # }
    /// ```
    pub async fn publish_to<T: Encode + ?Sized>(
        &self,
        topics: impl IntoIterator<Item = impl Into<String>>,
        value: &T,
    ) -> MultiPublished {
        self.message(value).publish_to(topics).await
    }

    /// Publishes under the topic `{domain}.{resource}.{action}` and waits until the message is stored.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// let published = publisher.event("users", "user", "created", "Ann").await?;
    /// assert!(published.subject.ends_with(".users.user.created"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Publisher::publish`]; and [`ErrorKind::InvalidSubject`] for a part that is more than one token.
    pub async fn event<T: Encode + ?Sized>(
        &self,
        domain: &str,
        resource: &str,
        action: &str,
        value: &T,
    ) -> Result<Published> {
        for part in [domain, resource, action] {
            if part.contains('.') {
                let text = format!("{part:?} is more than one token: domain, resource and action have no dot");
                return Err(Error::new(ErrorKind::InvalidSubject, text));
            }
        }
        self.publish(&format!("{domain}.{resource}.{action}"), value).await
    }

    /// Starts a message with an event id, metadata, headers or a delay of the caller's.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.message("ORD-1").topic("order.created").header("x-request-id", "r-1").publish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn message<'a, T: Encode + ?Sized>(&'a self, value: &'a T) -> MessageBuilder<'a, T> {
        MessageBuilder::new(self, value, Draft::topic(""))
    }

    /// The message that [`Publisher::send`] publishes, to add to it.
    pub(crate) fn event_message<'a, E: Event + Encode>(&'a self, event: &'a E) -> MessageBuilder<'a, E> {
        MessageBuilder::new(self, event, Draft::of_event(event))
    }

    /// Starts a batch: many messages on their way at once.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) {
    /// let report = publisher.batch().add("user.created", "Ann").add("user.created", "Bob").publish().await;
    /// assert_eq!(report.succeeded, 2);
    /// # }
    /// ```
    pub fn batch(&self) -> PublishBatch {
        PublishBatch::new(self.clone())
    }

    /// A publisher that gathers messages and sends them when there are 100, or 50 ms after the first.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// let buffered = publisher.buffered();
    /// for chunk in ["Once", "upon", "a", "time"] {
    ///     buffered.add("story.chunk", chunk).await?;
    /// }
    /// let report = buffered.flush().await;
    /// assert_eq!(report.failed, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// When called outside a tokio runtime.
    pub fn buffered(&self) -> BufferedPublisher {
        BufferedPublisher::new(self.clone())
    }

    /// Publishes on a raw subject: no environment and application before it.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.subject("chat.pod.pod-1.response").send_core("a chunk").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn subject(&self, subject: impl Into<String>) -> SubjectPublisher<'_> {
        SubjectPublisher::new(self, subject.into())
    }

    /// Sends a request on a raw subject as plain JSON, and reads the reply of whoever answers first.
    ///
    /// Nothing is stored; the time limit is `publish_timeout`.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// let health: serde_json::Value = publisher.request("chat.pod.pod-1.health", &()).await?;
    /// println!("{health}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NoResponders`] when nobody listens; [`ErrorKind::Timeout`] when nobody answers in time;
    /// [`ErrorKind::Responder`] with the responder's code and words when it answers with an error; [`ErrorKind::Server`] when
    /// its reply is of another type;
    /// [`ErrorKind::InvalidSubject`], [`ErrorKind::Encode`] and [`ErrorKind::PermissionDenied`].
    pub async fn request<T: Encode + ?Sized, R: DeserializeOwned>(&self, subject: &str, value: &T) -> Result<R> {
        request::request(self, subject, value).await
    }

    /// Sends a request on a raw subject as plain JSON, for the replies of all who answer; [`RequestMany`] says when it ends.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// let mut replies = publisher.request_many("chat.pods.health", &()).max(3).send::<serde_json::Value>().await?;
    /// while let Some(health) = replies.next().await {
    ///     println!("{}", health?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn request_many<'a, T: Encode + ?Sized>(
        &'a self,
        subject: impl Into<String>,
        value: &'a T,
    ) -> RequestMany<'a, T> {
        RequestMany::new(self, subject.into(), value)
    }

    /// The same publisher with a listener: it is told the subject of every message, what became of it, and how long that
    /// took. It replaces the listener of [`AppBuilder::on_publish`](crate::AppBuilder::on_publish).
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # fn example(publisher: Publisher) -> Publisher {
    /// publisher.on_publish(|subject, result, latency| println!("{subject} {} {latency:?}", result.is_ok()))
    /// # }
    /// ```
    #[must_use]
    pub fn on_publish(
        mut self,
        listener: impl Fn(&str, Result<&Published, &Error>, Duration) + Send + Sync + 'static,
    ) -> Self {
        self.listener = Some(PublishListener::new(listener));
        self
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

    /// Who writes the messages that are published here.
    pub(super) fn author(&self) -> Author<'_> {
        Author { cause: self.cause.as_ref(), scope: &self.scope, ..self.outlet.author() }
    }

    pub(super) fn outlet(&self) -> &Arc<Outlet> {
        &self.outlet
    }

    pub(super) fn lane(&self) -> usize {
        self.lane
    }

    /// Sees to it that the stream allows what a message asks for.
    pub(super) async fn ensure(&self, features: impl Iterator<Item = Feature>) -> Result<()> {
        for feature in features {
            self.outlet.ensure(feature).await?;
        }
        Ok(())
    }

    /// When a publish begins, if anybody wants to know.
    pub(super) fn begin(&self) -> Option<Duration> {
        let is_wanted = self.listener.is_some() || self.outlet.metrics.is_recorded();
        is_wanted.then(|| self.outlet.clock.monotonic())
    }

    /// Sends a message that has its place, or was refused one, and tells the listener.
    pub(super) async fn store(
        &self,
        mut prepared: Prepared,
        place: Result<Reserved<'_>>,
        began: Option<Duration>,
    ) -> Result<Published> {
        self.measure(&mut prepared);
        let stored = match place {
            Ok(place) => self.outlet.store_reserved(self.lane, &prepared.outbound, place).await,
            Err(refused) => Err(refused),
        };
        self.told(prepared, stored, began)
    }

    /// Hands a message that nobody stores to the connection.
    pub(super) async fn hand_over_core(&self, message: Prepared) -> Result<()> {
        self.outlet.metrics.handed_over(message.subject());
        let (transport, Outbound { subject, headers, body }) = (&self.outlet.transport, &message.outbound);
        let sent = match transport.try_publish_core(self.lane, subject.as_str().into(), headers, body) {
            Some(sent) => sent,
            None => transport.publish_core(self.lane, message.outbound).await,
        };
        sent.inspect_err(|error| message.span.failed(error.kind().name()))
    }

    /// The same of one that is nothing but its value.
    pub(super) async fn hand_over_bare(&self, subject: ByteString, body: Bytes) -> Result<()> {
        self.outlet.metrics.handed_over(&subject);
        let (transport, headers) = (&self.outlet.transport, Headers::default());
        match transport.try_publish_core(self.lane, subject.clone(), &headers, &body) {
            Some(sent) => sent,
            None => transport.publish_core(self.lane, Outbound { subject: subject.to_string(), headers, body }).await,
        }
    }

    /// What became of a message, once the listener knows it.
    pub(super) fn told(
        &self,
        prepared: Prepared,
        stored: Result<Stored>,
        began: Option<Duration>,
    ) -> Result<Published> {
        if let Err(error) = &stored {
            prepared.span.failed(error.kind().name());
        }
        let latency = began.map(|began| self.outlet.clock.monotonic().saturating_sub(began)).unwrap_or_default();
        prepared.measured.end(stored.as_ref().err().map(failure), latency);
        let (event_id, subject) = prepared.into_names();
        match stored {
            Ok(Stored { stream, sequence, duplicate }) => {
                let published = Published { event_id, subject, stream, sequence, duplicate };
                self.tell(&published.subject, Ok(&published), latency);
                Ok(published)
            }
            Err(error) => {
                self.tell(&subject, Err(&error), latency);
                Err(error)
            }
        }
    }

    /// Tells the listener what became of a message.
    pub(super) fn tell(&self, subject: &str, result: Result<&Published, &Error>, latency: Duration) {
        if let Some(listener) = &self.listener {
            listener.tell(subject, result, latency);
        }
    }
}

impl FromDelivery for Publisher {
    fn from_delivery(delivery: &Delivery) -> impl Future<Output = Result<Self, Failure>> + Send {
        let publisher = delivery
            .services()
            .get::<Self>()
            .map(|publisher| Self { cause: Some(delivery.context().clone()), ..publisher.sibling() });
        ready(publisher.ok_or_else(|| Failure::transient("the application has no publisher")))
    }

    fn requirement() -> Option<Requirement> {
        None
    }
}

impl FromServices for Publisher {
    fn from_services(services: &Services) -> Result<Self, Failure> {
        services.get::<Self>().map(Self::sibling).ok_or_else(|| Failure::transient("the application has no publisher"))
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("config", &self.outlet.config).finish_non_exhaustive()
    }
}
