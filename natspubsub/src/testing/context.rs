//! Contexts for plain unit tests of handlers.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::message::{Context, Headers, Metadata, Origin};
use crate::subject::Namespace;

/// When the messages of unit tests are stored unless they say otherwise: midnight of 2026-01-01 in UTC.
pub(super) const EPOCH: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// The topic, unless a test names another.
const TOPIC: &str = "test.topic";

/// A context for a plain call of a handler: the first attempt of five, of the message 1 of the application `app`.
///
/// ```
/// use natspubsub::prelude::*;
/// use natspubsub::testing;
///
/// #[topic_subscriber("order.created")]
/// async fn reserve(order: String, ctx: Context) -> Result<(), Failure> {
///     if ctx.is_last_attempt() { Err(Failure::permanent(format!("{order}: no more"))) } else { Ok(()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let first = testing::context().topic("order.created").build();
/// assert!(reserve("ORD-1".into(), first).await.is_ok());
/// let last = testing::context().topic("order.created").attempt(5).max_attempts(5).build();
/// assert!(reserve("ORD-1".into(), last).await.is_err());
/// # }
/// ```
pub fn context() -> ContextBuilder {
    ContextBuilder {
        env: "development".into(),
        app: "app".into(),
        place: Place::Topic(TOPIC.into()),
        subscriber: "handler".into(),
        durable: None,
        stream: None,
        event_id: "event-1".into(),
        sequence: 1,
        attempt: 1,
        max_attempts: 5,
        ack_wait: Duration::from_secs(30),
        stored_at: EPOCH,
        occurred_at: None,
        trace_id: None,
        headers: Headers::default(),
        metadata: Metadata::default(),
    }
}

/// Where the message of a context was published.
#[derive(Debug, Clone)]
enum Place {
    /// Under a topic of the application.
    Topic(String),
    /// On a raw subject.
    Subject(String),
}

/// What a context tells, made by [`context()`].
///
/// ```
/// let ctx = natspubsub::testing::context().env("production").app("orders").topic("order.created").build();
/// assert_eq!(ctx.subject(), "production.orders.order.created");
/// assert_eq!((ctx.stream(), ctx.durable()), ("production-orders-stream", "orders-handler"));
/// ```
#[derive(Debug, Clone)]
#[must_use = "the context is made by `.build()`"]
pub struct ContextBuilder {
    env: String,
    app: String,
    place: Place,
    subscriber: String,
    durable: Option<String>,
    stream: Option<String>,
    event_id: String,
    sequence: u64,
    attempt: u64,
    max_attempts: u32,
    ack_wait: Duration,
    stored_at: Timestamp,
    occurred_at: Option<Timestamp>,
    trace_id: Option<String>,
    headers: Headers,
    metadata: Metadata,
}

impl ContextBuilder {
    /// The environment, `development` if not set.
    pub fn env(mut self, env: impl Into<String>) -> Self {
        self.env = env.into();
        self
    }

    /// The application that owns the topic, `app` if not set.
    pub fn app(mut self, app: impl Into<String>) -> Self {
        self.app = app.into();
        self
    }

    /// The topic; the subject is `{env}.{app}.{topic}`.
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.place = Place::Topic(topic.into());
        self
    }

    /// A raw subject, as a `#[subject_subscriber]` reads; it is the topic too unless it begins with `{env}.{app}.`.
    ///
    /// ```
    /// let ctx = natspubsub::testing::context().subject("match.found").stream("MATCH_STREAM").build();
    /// assert_eq!((ctx.subject(), ctx.topic()), ("match.found", "match.found"));
    /// ```
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.place = Place::Subject(subject.into());
        self
    }

    /// The event's id, `event-1` if not set.
    pub fn event_id(mut self, id: impl Into<String>) -> Self {
        self.event_id = id.into();
        self
    }

    /// The number of the attempt and of the delivery, 1 if not set.
    pub fn attempt(mut self, number: u64) -> Self {
        self.attempt = number;
        self
    }

    /// After how many attempts the message becomes a dead letter, 5 if not set.
    pub fn max_attempts(mut self, count: u32) -> Self {
        self.max_attempts = count;
        self
    }

    /// How long the server waits for an answer, 30 seconds if not set.
    pub fn ack_wait(mut self, wait: Duration) -> Self {
        self.ack_wait = wait;
        self
    }

    /// The name of the subscriber function, `handler` if not set.
    pub fn subscriber(mut self, name: impl Into<String>) -> Self {
        self.subscriber = name.into();
        self
    }

    /// The durable consumer, `{app}-{subscriber}` if not set.
    pub fn durable(mut self, name: impl Into<String>) -> Self {
        self.durable = Some(name.into());
        self
    }

    /// The stream that stores the message, `{env}-{app}-stream` if not set.
    pub fn stream(mut self, name: impl Into<String>) -> Self {
        self.stream = Some(name.into());
        self
    }

    /// The number of the message in its stream, 1 if not set.
    pub fn sequence(mut self, number: u64) -> Self {
        self.sequence = number;
        self
    }

    /// When the server stored the message, midnight of 2026-01-01 in UTC if not set.
    pub fn stored_at(mut self, at: Timestamp) -> Self {
        self.stored_at = at;
        self
    }

    /// When the event occurred, as its producer says.
    pub fn occurred_at(mut self, at: Timestamp) -> Self {
        self.occurred_at = Some(at);
        self
    }

    /// The trace that the message belongs to.
    pub fn trace_id(mut self, id: impl Into<String>) -> Self {
        let id = id.into();
        self.trace_id = Some(id.clone());
        self.metadata("trace_id", id)
    }

    /// The conversation that the message belongs to.
    pub fn correlation_id(self, id: impl Into<String>) -> Self {
        self.metadata("correlation_id", id.into())
    }

    /// The event id of the message that caused this one.
    pub fn causation_id(self, id: impl Into<String>) -> Self {
        self.metadata("causation_id", id.into())
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Sets a value of the metadata by its key.
    ///
    /// ```
    /// let ctx = natspubsub::testing::context().metadata("user_id", "ann").metadata("shop", 7).build();
    /// assert_eq!(ctx.metadata().user_id.as_deref(), Some("ann"));
    /// assert_eq!(ctx.metadata().other["shop"], 7);
    /// ```
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.set(key.into(), value.into());
        self
    }

    /// All headers at once.
    pub(super) fn headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }

    /// What an envelope says.
    pub(super) fn read(mut self, at: Option<Timestamp>, trace_id: Option<String>, metadata: Metadata) -> Self {
        (self.occurred_at, self.trace_id, self.metadata) = (at, trace_id, metadata);
        self
    }

    /// Makes the context.
    ///
    /// # Panics
    /// When the topic is none, and when `env` or `app` cannot be a part of a subject.
    #[track_caller]
    pub fn build(self) -> Context {
        let namespace = Namespace::new(&self.env, &self.app).unwrap_or_else(|fault| panic!("{fault}"));
        let subject = match &self.place {
            Place::Subject(subject) => subject.clone(),
            Place::Topic(topic) => match natspubsub_grammar::normalize_topic(topic) {
                Ok(topic) => namespace.subject(&topic),
                Err(fault) => panic!("{fault}"),
            },
        };
        self.within(&namespace, subject)
    }

    /// Makes the context of a message on a subject.
    pub(super) fn within(self, namespace: &Namespace, subject: String) -> Context {
        let topic_at = subject.len() - namespace.topic(&subject).len();
        let durable = self.durable.unwrap_or_else(|| format!("{}-{}", namespace.app(), self.subscriber));
        Context::new(Origin {
            topic_at,
            subject,
            durable: durable.into(),
            subscriber: self.subscriber.into(),
            stream: self.stream.unwrap_or_else(|| namespace.stream()).into(),
            event_id: self.event_id,
            sequence: self.sequence,
            deliveries: self.attempt,
            max_attempts: self.max_attempts,
            ack_wait: self.ack_wait,
            stored_at: self.stored_at,
            occurred_at: self.occurred_at,
            trace_id: self.trace_id,
            headers: self.headers,
            metadata: self.metadata,
        })
    }
}
