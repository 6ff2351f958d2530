//! What is known about one delivery besides its body.

use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use bytestring::ByteString;
use jiff::Timestamp;

use super::envelope::read_time;
use super::headers::{self, Headers};
use super::metadata::Metadata;
use crate::clock::{SharedClock, event_id};

/// Where one delivered message comes from and how often it was tried; cheap to clone. It holds the bytes of its message as
/// long as it lives.
///
/// ```
/// use natspubsub::prelude::*;
///
/// #[topic_subscriber("order.created")]
/// async fn reserve(order: serde_json::Value, ctx: Context) {
///     println!("{} attempt {} of {}: {order}", ctx.event_id(), ctx.attempt(), ctx.max_attempts());
/// }
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct Context {
    source: Arc<dyn Source>,
    attempt: u64,
}

/// What a [`Context`] tells about: a delivery that somebody holds, of which nothing is copied.
pub(crate) trait Source: Send + Sync {
    fn subject(&self) -> &str;
    fn headers(&self) -> &Headers;
    fn facts(&self) -> &Facts;
}

/// Who receives a delivery: the same for all that a subscriber gets.
#[derive(Debug)]
pub(crate) struct Recipient {
    pub(crate) subscriber: Arc<str>,
    pub(crate) durable: Arc<str>,
    pub(crate) stream: Arc<str>,
    pub(crate) max_attempts: u32,
    pub(crate) ack_wait: Duration,
    /// Where the ids of messages that have none come from.
    pub(crate) clock: SharedClock,
}

/// What is known about a delivery besides its subject and headers.
pub(crate) struct Facts {
    pub(crate) recipient: Arc<Recipient>,
    /// Of a message that has no id, one is made when somebody asks for it.
    pub(crate) event_id: OnceLock<ByteString>,
    /// Bytes of the subject before the topic.
    pub(crate) topic_at: usize,
    pub(crate) sequence: u64,
    pub(crate) deliveries: u64,
    pub(crate) stored_at: Timestamp,
    pub(crate) occurred_at: Moment,
    pub(crate) trace_id: Option<ByteString>,
    pub(crate) metadata: Option<Box<Metadata>>,
}

/// When something occurred.
#[derive(Debug)]
pub(crate) enum Moment {
    At(Option<Timestamp>),
    /// As it is written: few ask for it.
    Written(ByteString),
}

/// A delivery that nobody else holds, as the parts that a [`Context`] tells: of the test kit.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) subscriber: Arc<str>,
    pub(crate) durable: Arc<str>,
    pub(crate) event_id: String,
    pub(crate) subject: String,
    /// Bytes of `subject` before the topic.
    pub(crate) topic_at: usize,
    pub(crate) stream: Arc<str>,
    pub(crate) sequence: u64,
    pub(crate) deliveries: u64,
    pub(crate) max_attempts: u32,
    pub(crate) ack_wait: Duration,
    pub(crate) stored_at: Timestamp,
    pub(crate) occurred_at: Option<Timestamp>,
    pub(crate) trace_id: Option<String>,
    pub(crate) headers: Headers,
    pub(crate) metadata: Metadata,
}

/// The parts of an [`Origin`].
#[cfg(any(test, feature = "testing"))]
struct Own {
    subject: String,
    headers: Headers,
    facts: Facts,
}

#[cfg(any(test, feature = "testing"))]
impl Source for Own {
    fn subject(&self) -> &str {
        &self.subject
    }

    fn headers(&self) -> &Headers {
        &self.headers
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }
}

#[cfg(any(test, feature = "testing"))]
impl From<Origin> for Own {
    fn from(origin: Origin) -> Self {
        let recipient = Recipient {
            subscriber: origin.subscriber,
            durable: origin.durable,
            stream: origin.stream,
            max_attempts: origin.max_attempts,
            ack_wait: origin.ack_wait,
            clock: crate::clock::SystemClock::shared(),
        };
        let facts = Facts {
            recipient: recipient.into(),
            event_id: OnceLock::from(ByteString::from(origin.event_id)),
            topic_at: origin.topic_at,
            sequence: origin.sequence,
            deliveries: origin.deliveries,
            stored_at: origin.stored_at,
            occurred_at: Moment::At(origin.occurred_at),
            trace_id: origin.trace_id.map(ByteString::from),
            metadata: (origin.metadata != Metadata::default()).then(|| Box::new(origin.metadata)),
        };
        Self { subject: origin.subject, headers: origin.headers, facts }
    }
}

/// Of a message that says nothing about its cause.
static NO_METADATA: LazyLock<Metadata> = LazyLock::new(Metadata::default);

impl Context {
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn new(origin: Origin) -> Self {
        Self::of(Arc::new(Own::from(origin)))
    }

    /// The context of a delivery that somebody holds.
    pub(crate) fn of(source: Arc<dyn Source>) -> Self {
        Self { attempt: source.facts().deliveries, source }
    }

    fn facts(&self) -> &Facts {
        self.source.facts()
    }

    fn recipient(&self) -> &Recipient {
        &self.facts().recipient
    }

    /// The same delivery as another attempt.
    pub(crate) fn at_attempt(mut self, attempt: u64) -> Self {
        self.attempt = attempt;
        self
    }

    /// A context for unit tests.
    #[cfg(test)]
    pub(crate) fn sample() -> Self {
        Self::sample_with(Headers::default())
    }

    /// The same with these headers.
    #[cfg(test)]
    pub(crate) fn sample_with(headers: Headers) -> Self {
        Self::new(Origin {
            subscriber: "on_order".into(),
            durable: "orders-on_order".into(),
            event_id: "e-1".to_owned(),
            subject: "development.orders.order.created".into(),
            topic_at: "development.orders.".len(),
            stream: "development-orders-stream".into(),
            sequence: 1,
            deliveries: 1,
            max_attempts: 5,
            ack_wait: Duration::from_secs(30),
            stored_at: Timestamp::UNIX_EPOCH,
            occurred_at: None,
            trace_id: None,
            headers,
            metadata: Metadata::default(),
        })
    }

    /// The name of the subscriber function.
    pub fn subscriber(&self) -> &str {
        &self.recipient().subscriber
    }

    /// The durable consumer that delivered the message; with core NATS the queue group, else the function.
    pub fn durable(&self) -> &str {
        &self.recipient().durable
    }

    /// The event's id: from the envelope, or where there is none the header `x-event-id`; else the header
    /// `Nats-Msg-Id`, else `{stream}:{sequence}`; with core NATS a new one.
    pub fn event_id(&self) -> &str {
        let facts = self.facts();
        facts.event_id.get_or_init(|| event_id(&*facts.recipient.clock, facts.stored_at).into())
    }

    /// The subject that the message was published to.
    pub fn subject(&self) -> &str {
        self.source.subject()
    }

    /// The subject without environment and application.
    pub fn topic(&self) -> &str {
        &self.subject()[self.facts().topic_at..]
    }

    /// The stream that stores the message; empty with core NATS.
    pub fn stream(&self) -> &str {
        &self.recipient().stream
    }

    /// The sequence number of the message in its stream; 0 with core NATS.
    pub fn sequence(&self) -> u64 {
        self.facts().sequence
    }

    /// How often the server has delivered the message to this durable, from 1.
    pub fn deliveries(&self) -> u64 {
        self.facts().deliveries
    }

    /// The number of this attempt, from 1.
    pub fn attempt(&self) -> u64 {
        self.attempt
    }

    /// The number of attempts after which the message becomes a dead letter.
    pub fn max_attempts(&self) -> u32 {
        self.recipient().max_attempts
    }

    /// Whether a failure of this attempt makes the message a dead letter.
    pub fn is_last_attempt(&self) -> bool {
        self.attempt() >= u64::from(self.max_attempts())
    }

    /// How long the server waits for an answer before it delivers again; zero with core NATS, which never does.
    pub fn ack_wait(&self) -> Duration {
        self.recipient().ack_wait
    }

    /// When the server stored the message; with core NATS, when it was received.
    pub fn stored_at(&self) -> Timestamp {
        self.facts().stored_at
    }

    /// When the event occurred, as its producer says.
    pub fn occurred_at(&self) -> Option<Timestamp> {
        match &self.facts().occurred_at {
            Moment::At(at) => *at,
            Moment::Written(text) => read_time(text),
        }
    }

    /// The trace that the message belongs to.
    pub fn trace_id(&self) -> Option<&str> {
        self.facts().trace_id.as_deref().or_else(|| self.headers().get(headers::TRACE_ID)).or_else(|| {
            // version-traceid-parentid-flags, W3C Trace Context
            self.headers().get(headers::TRACEPARENT)?.split('-').nth(1)
        })
    }

    /// The conversation that the message belongs to.
    pub fn correlation_id(&self) -> Option<&str> {
        self.metadata().correlation_id.as_deref()
    }

    /// The headers of the message.
    pub fn headers(&self) -> &Headers {
        self.source.headers()
    }

    /// What the message says about its cause.
    pub fn metadata(&self) -> &Metadata {
        self.facts().metadata.as_deref().unwrap_or(&NO_METADATA)
    }
}

/// Never the body.
impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("subscriber", &self.subscriber())
            .field("durable", &self.durable())
            .field("event_id", &self.event_id())
            .field("subject", &self.subject())
            .field("stream", &self.stream())
            .field("sequence", &self.sequence())
            .field("deliveries", &self.deliveries())
            .field("attempt", &self.attempt())
            .field("max_attempts", &self.max_attempts())
            .field("ack_wait", &self.ack_wait())
            .field("stored_at", &self.stored_at())
            .field("occurred_at", &self.occurred_at())
            .field("trace_id", &self.trace_id())
            .field("headers", self.headers())
            .field("metadata", self.metadata())
            .finish()
    }
}
