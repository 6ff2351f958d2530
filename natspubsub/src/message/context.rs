//! What is known about one delivery besides its body.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;

use super::headers::{self, Headers};
use super::metadata::Metadata;
use crate::clock::NewId;

/// Where one delivered message comes from and how often it was tried; cheap to clone.
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
#[derive(Debug, Clone)]
pub struct Context {
    origin: Arc<Origin>,
    attempt: u64,
}

/// Everything that a [`Context`] tells.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) subscriber: Arc<str>,
    pub(crate) durable: Arc<str>,
    pub(crate) event_id: EventId,
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

/// The id that a message says it has, or a new one, which is written down when somebody asks for it.
#[derive(Debug)]
pub(crate) struct EventId {
    text: OnceLock<String>,
    new: Option<NewId>,
}

impl EventId {
    pub(crate) fn new(id: NewId) -> Self {
        Self { text: OnceLock::new(), new: Some(id) }
    }

    fn text(&self) -> &str {
        self.text.get_or_init(|| self.new.map(NewId::text).unwrap_or_default())
    }
}

impl From<String> for EventId {
    fn from(id: String) -> Self {
        Self { text: id.into(), new: None }
    }
}

impl Context {
    pub(crate) fn new(origin: Origin) -> Self {
        Self { attempt: origin.deliveries, origin: Arc::new(origin) }
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
            event_id: "e-1".to_owned().into(),
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
        &self.origin.subscriber
    }

    /// The durable consumer that delivered the message; with core NATS the queue group, else the function.
    pub fn durable(&self) -> &str {
        &self.origin.durable
    }

    /// The event's id: from the envelope, or where there is none the header `x-event-id`; else the header
    /// `Nats-Msg-Id`, else `{stream}:{sequence}`; with core NATS a new one.
    pub fn event_id(&self) -> &str {
        self.origin.event_id.text()
    }

    /// The subject that the message was published to.
    pub fn subject(&self) -> &str {
        &self.origin.subject
    }

    /// The subject without environment and application.
    pub fn topic(&self) -> &str {
        &self.origin.subject[self.origin.topic_at..]
    }

    /// The stream that stores the message; empty with core NATS.
    pub fn stream(&self) -> &str {
        &self.origin.stream
    }

    /// The sequence number of the message in its stream; 0 with core NATS.
    pub fn sequence(&self) -> u64 {
        self.origin.sequence
    }

    /// How often the server has delivered the message to this durable, from 1.
    pub fn deliveries(&self) -> u64 {
        self.origin.deliveries
    }

    /// The number of this attempt, from 1.
    pub fn attempt(&self) -> u64 {
        self.attempt
    }

    /// The number of attempts after which the message becomes a dead letter.
    pub fn max_attempts(&self) -> u32 {
        self.origin.max_attempts
    }

    /// Whether a failure of this attempt makes the message a dead letter.
    pub fn is_last_attempt(&self) -> bool {
        self.attempt() >= u64::from(self.max_attempts())
    }

    /// How long the server waits for an answer before it delivers again; zero with core NATS, which never does.
    pub fn ack_wait(&self) -> Duration {
        self.origin.ack_wait
    }

    /// When the server stored the message; with core NATS, when it was received.
    pub fn stored_at(&self) -> Timestamp {
        self.origin.stored_at
    }

    /// When the event occurred, as its producer says.
    pub fn occurred_at(&self) -> Option<Timestamp> {
        self.origin.occurred_at
    }

    /// The trace that the message belongs to.
    pub fn trace_id(&self) -> Option<&str> {
        self.origin.trace_id.as_deref().or_else(|| self.headers().get(headers::TRACE_ID)).or_else(|| {
            // version-traceid-parentid-flags, W3C Trace Context
            self.headers().get(headers::TRACEPARENT)?.split('-').nth(1)
        })
    }

    /// The conversation that the message belongs to.
    pub fn correlation_id(&self) -> Option<&str> {
        self.origin.metadata.correlation_id.as_deref()
    }

    /// The headers of the message.
    pub fn headers(&self) -> &Headers {
        &self.origin.headers
    }

    /// What the message says about its cause.
    pub fn metadata(&self) -> &Metadata {
        &self.origin.metadata
    }
}
