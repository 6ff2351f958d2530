//! What one attribute on a handler declared.

use super::{Origin, OwnLayer};
use crate::handler::{BatchFuture, CallFuture, Delivery, ReplyFuture, Requirement};

/// What one attribute on a handler declared.
#[derive(Debug)]
pub struct SubscriberDescriptor {
    /// Where it stands.
    pub origin: Origin,
    /// Where its messages come from.
    pub source: Source,
    /// The patterns, checked at compile time.
    pub patterns: &'static [&'static str],
    /// The options that were written.
    pub options: SubscriberOptions,
    /// The name of the payload type.
    pub payload: fn() -> &'static str,
    /// What the arguments need from the application.
    pub requirements: fn() -> Vec<Requirement>,
    /// Whether an argument is a transaction.
    pub transaction: bool,
    /// Decodes the payload, takes the arguments and calls the function.
    pub call: Call,
}

impl SubscriberDescriptor {
    /// The attribute that declared it.
    pub(crate) fn attribute(&self) -> &'static str {
        match (self.source, self.call) {
            (_, Call::Batch(_)) => "batch_subscriber",
            (Source::Topic, _) => "topic_subscriber",
            (Source::Subject, _) => "subject_subscriber",
            (Source::DeadLetter, _) => "dead_letter_handler",
            (Source::Request, _) => "responder",
        }
    }
}

/// Where the messages of a handler come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Topics of an application.
    Topic,
    /// Raw subjects.
    Subject,
    /// Requests on a raw subject.
    Request,
    /// Dead letters of the application, by their original topic.
    DeadLetter,
}

/// How a handler is called.
#[derive(Debug, Clone, Copy)]
pub enum Call {
    /// With one delivery.
    Each(fn(Delivery) -> CallFuture),
    /// With many deliveries.
    Batch(fn(Vec<Delivery>) -> BatchFuture),
    /// With one request.
    Reply(fn(Delivery) -> ReplyFuture),
}

/// The options of one handler as they were written; `None` is the default. Texts were checked at compile time.
#[derive(Debug, Clone, Copy)]
pub struct SubscriberOptions {
    /// The name of the durable consumer.
    pub durable: Option<&'static str>,
    /// The application whose topics are read; `*` is every one.
    pub app: Option<&'static str>,
    /// How long the start waits for another application's stream, in nanoseconds.
    pub wait_for_stream_ns: Option<u64>,
    /// The stream that is read.
    pub stream: Option<&'static str>,
    /// `jetstream` or `core`.
    pub transport: Option<&'static str>,
    /// The queue group of core NATS.
    pub queue: Option<&'static str>,
    /// Whether the body lies in an envelope.
    pub envelope: Option<bool>,
    /// The most messages of one batch.
    pub batch_max: Option<u32>,
    /// How long a batch waits for more messages, in nanoseconds.
    pub batch_wait_ns: Option<u64>,
    /// Handlers that run at once.
    pub concurrency: Option<u32>,
    /// Messages of core NATS that wait beyond the running ones.
    pub pending: Option<u32>,
    /// Deliveries that wait beyond the running ones.
    pub prefetch: Option<u32>,
    /// How long the server waits for an answer, in nanoseconds.
    pub ack_wait_ns: Option<u64>,
    /// Attempts before a message becomes a dead letter.
    pub max_attempts: Option<u32>,
    /// Delays between attempts, in nanoseconds.
    pub backoff_ns: Option<&'static [u64]>,
    /// The longest delay between attempts, in nanoseconds.
    pub max_backoff_ns: Option<u64>,
    /// Whether delays vary at random.
    pub jitter: Option<bool>,
    /// How long a handler may run, in nanoseconds; 0 is no limit.
    pub timeout_ns: Option<u64>,
    /// Whether failed messages are stored as dead letters.
    pub dead_letter: Option<bool>,
    /// Whether the inbox skips handled messages.
    pub inbox: Option<bool>,
    /// The field of the payload that is the key of its order.
    pub ordered_by: Option<&'static str>,
    /// Where a new consumer starts.
    pub deliver: Option<Deliver>,
    /// Whether the consumer lives only as long as the process.
    pub ephemeral: Option<bool>,
    /// Whether each acknowledgement waits for the server's answer.
    pub confirm_ack: Option<bool>,
    /// The most messages in a time.
    pub rate_limit: Option<RateOption>,
    /// The circuit breaker.
    pub circuit_breaker: Option<BreakerOption>,
    /// The topic that the returned value is published under.
    pub publishes: Option<&'static str>,
    /// The middleware of this subscriber alone, outermost first.
    pub middleware: Option<&'static [OwnLayer]>,
    /// Whether the payload has to keep its rules.
    pub validate: Option<bool>,
}

/// Where a new consumer starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deliver {
    /// At the oldest message.
    All,
    /// After the newest message.
    New,
    /// At the newest message.
    Last,
    /// At the newest message of each subject.
    LastPerSubject,
    /// At a sequence number.
    FromSequence(u64),
    /// At the first message stored at or after an instant of RFC 3339.
    FromTime(&'static str),
}

/// So many messages in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateOption {
    /// How many; at least 1.
    pub count: u32,
    /// In which time, in nanoseconds.
    pub per_ns: u64,
}

/// When a subscriber pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerOption {
    /// Failures in a row that open the breaker.
    pub failures: u32,
    /// How long it stays open, in nanoseconds.
    pub open_ns: u64,
    /// Successes in a row that close it.
    pub half_open: u32,
}

impl SubscriberOptions {
    /// No option was written.
    pub const UNWRITTEN: Self = Self {
        durable: None,
        app: None,
        wait_for_stream_ns: None,
        stream: None,
        transport: None,
        queue: None,
        envelope: None,
        batch_max: None,
        batch_wait_ns: None,
        concurrency: None,
        pending: None,
        prefetch: None,
        ack_wait_ns: None,
        max_attempts: None,
        backoff_ns: None,
        max_backoff_ns: None,
        jitter: None,
        timeout_ns: None,
        dead_letter: None,
        inbox: None,
        ordered_by: None,
        deliver: None,
        ephemeral: None,
        confirm_ack: None,
        rate_limit: None,
        circuit_breaker: None,
        publishes: None,
        middleware: None,
        validate: None,
    };
}
