//! What the engine needs from JetStream, and nothing of any client library.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use bytestring::ByteString;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::error::Result;
use crate::message::Headers;

pub(crate) type SharedTransport = Arc<dyn Transport>;

/// The connection that consumes; it always exists.
pub(crate) const CONSUMING_LANE: usize = 0;

/// The configuration of a stream or consumer in the words of the JetStream API, with every field that the server
/// keeps: what natspubsub does not own survives an update.
pub(crate) type AssetConfig = Map<String, Value>;

/// The text of a field, empty where there is none.
pub(crate) fn config_text<'a>(config: &'a AssetConfig, field: &str) -> &'a str {
    config.get(field).and_then(Value::as_str).unwrap_or("")
}

/// A message on its way to a stream.
#[derive(Debug, Clone)]
pub(crate) struct Outbound {
    pub(crate) subject: String,
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
}

impl Outbound {
    /// The bytes that count against the server's `max_payload`.
    pub(crate) fn size(&self) -> usize {
        self.headers.wire_size() + self.body.len()
    }
}

/// Where a stream stored a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) stream: String,
    pub(crate) sequence: u64,
    pub(crate) duplicate: bool,
}

/// What becomes of a message that was handed over.
pub(crate) type Confirmation<'a> = Pin<Box<dyn Future<Output = Result<Stored, PublishFault>> + Send + 'a>>;

/// Why a publish has no confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublishFault {
    /// No stream takes the subject, or its leader is being elected. Not stored.
    NoStream,
    /// The server refused the message. Not stored.
    Rejected(String),
    /// The server takes no more messages for a moment. Not stored.
    Busy(String),
    /// The account may not publish on this subject. Not stored.
    Denied(String),
    /// No connection within this time. Not stored.
    NotConnected(Duration),
    /// No answer: the message may be stored.
    Unknown(String),
}

/// What the server says, by its codes, when there is no room left: in the account (10002), in the memory (10028) or on the
/// disk (10047) that it may use, in the stream (10077).
const NO_ROOM: [&str; 4] = ["(10002)", "(10028)", "(10047)", "(10077)"];

impl PublishFault {
    /// Its name in spans: that of the error which it becomes.
    pub(crate) fn error_type(&self) -> &'static str {
        match self {
            Self::NoStream | Self::Rejected(_) | Self::Busy(_) => "rejected",
            Self::Denied(_) => "permission_denied",
            Self::NotConnected(_) => "connect",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Whether the message was refused because there is no room for any.
    pub(crate) fn is_about_room(&self) -> bool {
        matches!(self, Self::Rejected(text) if NO_ROOM.iter().any(|code| text.ends_with(code)))
    }

    /// Whether the server refused the message: its words end with its number. Otherwise it never had the message.
    pub(crate) fn is_of_server(&self) -> bool {
        let Self::Rejected(text) = self else { return false };
        let number = text.strip_suffix(')').and_then(|text| text.rsplit_once('('));
        number.is_some_and(|(_, number)| number.len() == 5 && number.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// The same of a message that is not stored before another one is.
    pub(crate) fn certain(self) -> Self {
        match self {
            Self::Unknown(reason) => Self::Rejected(reason),
            other => other,
        }
    }
}

/// A message that a consumer delivered.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) subject: String,
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
    pub(crate) sequence: u64,
    pub(crate) deliveries: u64,
    pub(crate) stored_at: Timestamp,
    /// Messages that waited behind it at the consumer when it was delivered; 0 where that is not known.
    pub(crate) backlog: u64,
    /// What an answer to this delivery is addressed to.
    pub(crate) token: String,
    /// Why the headers could not be read; they are left out then.
    pub(crate) fault: Option<String>,
}

/// A message that nobody stores.
#[derive(Debug, Clone)]
pub(crate) struct CoreMessage {
    pub(crate) message: Outbound,
    /// Where an answer is expected.
    pub(crate) reply: Option<String>,
    /// Whether the server says so in place of a reply: nobody listens where the request went.
    pub(crate) no_responders: bool,
}

/// Listens to messages that nobody stores; dropped, it ends.
#[async_trait]
pub(crate) trait CoreSubscription: Send {
    /// The next message; none after [`CoreSubscription::stop`], or when the connection has ended.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<CoreMessage>>;

    /// Leaves: the server sends nothing more, what is on its way still arrives, and then none.
    async fn stop(&mut self);
}

#[cfg(feature = "testing")]
impl dyn CoreSubscription {
    /// The next message; none when the connection has ended. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Option<CoreMessage> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }
}

/// What is known about the server without asking it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ServerFacts {
    /// Major and minor version.
    pub(crate) version: (u32, u32),
    /// Whether it is a node of a cluster; `None` where that is not known, or makes no difference.
    pub(crate) is_clustered: Option<bool>,
}

/// A consumer as it stands on the server.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ConsumerState {
    pub(crate) name: String,
    pub(crate) config: AssetConfig,
    /// Every message up to this one is answered, or not for this consumer.
    pub(crate) answered: u64,
    /// Messages that were delivered and are not answered.
    pub(crate) unanswered: u64,
    /// Pull requests that are open.
    pub(crate) waiting: u64,
}

/// How far a consumer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Every message up to this one is answered, or not for this consumer.
    pub(crate) answered: u64,
    /// Messages that were never delivered and could be now: none while `max_ack_pending` is reached.
    pub(crate) backlog: u64,
    /// Messages that were never delivered.
    pub(crate) pending: u64,
    /// Messages that were delivered and are not answered.
    pub(crate) unanswered: u64,
}

/// Something that the account may be denied, tried without an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trial {
    Publish(String),
    Pull {
        stream: String,
        durable: String,
    },
    Answer {
        stream: String,
        durable: String,
    },
    /// Reading a stored message by its number.
    Read {
        stream: String,
    },
    /// Deleting the messages of a subject that has none.
    Purge {
        stream: String,
        subject: String,
    },
}

/// What the server is told about a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Done.
    Ack,
    /// Deliver again after a delay.
    Nak(Duration),
    /// Never deliver again.
    Term(String),
}

/// What a pull tells its owner.
#[derive(Debug)]
pub(crate) enum PullEvent {
    /// A delivery; it uses up one unit of credit.
    Message(Box<Received>),
    /// Requests ended without filling these units of credit.
    Ended { unfilled: u32 },
    /// The connection was made anew: every outstanding request is void.
    Reset,
    /// The consumer or its stream cannot be reached.
    Gone(String),
    /// After [`Pull::stop`]: everything that was on its way has arrived.
    Stopped,
}

/// Pull requests of one durable consumer.
#[async_trait]
pub(crate) trait Pull: Send {
    /// Whether a request would reach the server now. When that changes, [`Pull::next`] returns.
    fn is_ready(&self) -> bool;

    /// Asks for up to `batch` messages within `expires`.
    async fn request(&mut self, batch: u32, expires: Duration) -> Result<()>;

    /// The next event. Dropping the future loses nothing.
    async fn next(&mut self) -> PullEvent;

    /// A delivery that has arrived already, if it is what comes next; otherwise [`Pull::next`] tells.
    fn arrived(&mut self) -> Option<Received> {
        None
    }

    /// Withdraws every request; what is already on its way still arrives, then [`PullEvent::Stopped`].
    async fn stop(&mut self);
}

/// A connection to JetStream.
#[async_trait]
pub(crate) trait Transport: Send + Sync + 'static {
    /// The server in one phrase, without secrets.
    fn describe(&self) -> String;

    /// The most bytes of headers and body that a message can have.
    fn max_payload(&self) -> usize;

    /// Whether the connection that consumes stands.
    fn is_connected(&self) -> bool;

    /// How many of the connections that publishers share do not stand.
    fn connections_down(&self) -> usize;

    /// Whether anything that was written waits for its answer.
    fn owes_answers(&self) -> bool;

    /// How often a connection was made: what was written to an earlier one may not have been read.
    fn connections_made(&self) -> u64;

    /// The subject that the account may not use, out of what a consumer needs; seen since the connection was made.
    fn denied(&self, stream: &str, durable: &str) -> Option<String>;

    /// Whether the account may not listen on a subject; seen since the connection was made.
    fn denies_listening(&self, subject: &str) -> bool;

    /// Tries again what a consumer was denied, and forgets what is permitted by now.
    async fn retry_denied(&self, stream: &str, durable: &str);

    /// The subject that the account may not use, for something that is tried without an effect.
    async fn denies(&self, trial: &Trial) -> Option<String>;

    /// Stores a message and waits for the confirmation. Messages of one lane are written in the order of the calls.
    async fn publish(&self, lane: usize, message: &Outbound, limit: Duration) -> Result<Stored, PublishFault>;

    /// Hands a message over as [`Transport::publish`] does, if nothing has to be waited for: the connection stands, no
    /// other message waits before it, and there is room. Otherwise nothing was sent.
    fn hand_over(&self, lane: usize, message: &Outbound, limit: Duration) -> Option<Confirmation<'_>>;

    /// Stores all messages of one stream, or none.
    async fn publish_atomic(
        &self,
        lane: usize,
        id: &str,
        messages: Vec<Outbound>,
        limit: Duration,
    ) -> Result<Stored, PublishFault>;

    /// What is known about the server without asking it.
    fn server(&self) -> ServerFacts;

    /// The level of the JetStream API, which rises with the features of a version.
    async fn api_level(&self) -> Result<u32>;

    /// Whether the server is of this version or a newer one.
    fn is_at_least(&self, major: u32, minor: u32) -> bool;

    /// Publishes a message that nobody stores, to whoever listens now.
    async fn publish_core(&self, lane: usize, message: Outbound) -> Result<()>;

    /// The same without waiting; `None` when that is not possible: then nothing was sent.
    fn try_publish_core(
        &self,
        _lane: usize,
        _subject: ByteString,
        _headers: &Headers,
        _body: &Bytes,
    ) -> Option<Result<()>> {
        None
    }

    /// Sends a request that nobody stores, and waits for the reply of whoever listens now.
    async fn request(&self, message: Outbound, limit: Duration) -> Result<Outbound>;

    /// Sends a request that nobody stores, and listens to the replies of all who answer.
    async fn request_many(&self, message: Outbound) -> Result<Box<dyn CoreSubscription>>;

    /// Listens on a subject, from now on: everybody alone, or one member of each queue group.
    async fn subscribe(&self, subject: &str, queue: Option<&str>) -> Result<Box<dyn CoreSubscription>>;

    /// The configuration of a stream, if it exists.
    async fn stream(&self, name: &str) -> Result<Option<AssetConfig>>;

    /// When a stream was made, if it exists: another one of the same name counts its messages from 1 again.
    async fn stream_made_at(&self, name: &str) -> Result<Option<Timestamp>>;

    /// A stored message by its number, if it exists. It is no delivery: nothing answers it.
    async fn stored(&self, stream: &str, sequence: u64) -> Result<Option<Received>>;

    /// The first stored message behind a number, if there is one.
    async fn stored_after(&self, stream: &str, sequence: u64) -> Result<Option<Received>>;

    /// Deletes a stored message; one that does not exist is fine.
    async fn delete_message(&self, stream: &str, sequence: u64) -> Result<()>;

    /// Deletes every message of a stream with this subject.
    async fn purge(&self, stream: &str, subject: &str) -> Result<()>;

    /// How many different subjects of a stream match a pattern; none if the stream does not exist.
    async fn count_subjects(&self, stream: &str, pattern: &str) -> Result<u64>;

    /// The names of the streams whose subjects overlap `subject`.
    async fn streams_on(&self, subject: &str) -> Result<Vec<String>>;

    /// Creates a stream; an equal one that exists is fine.
    async fn create_stream(&self, config: &AssetConfig) -> Result<()>;

    /// Writes the whole configuration of a stream.
    async fn update_stream(&self, config: &AssetConfig) -> Result<()>;

    /// Deletes a stream; one that does not exist is fine.
    #[cfg(feature = "testing")]
    async fn delete_stream(&self, name: &str) -> Result<()>;

    /// The configuration of a consumer, if it exists.
    async fn consumer(&self, stream: &str, name: &str) -> Result<Option<AssetConfig>>;

    /// A consumer as it stands, if it exists.
    async fn consumer_state(&self, stream: &str, name: &str) -> Result<Option<ConsumerState>>;

    /// Every consumer of a stream; none if the stream does not exist.
    async fn consumers(&self, stream: &str) -> Result<Vec<ConsumerState>>;

    /// Creates a consumer; an equal one that exists is fine, a different one is an error.
    async fn create_consumer(&self, stream: &str, config: &AssetConfig) -> Result<()>;

    /// Writes the whole configuration of a consumer.
    async fn update_consumer(&self, stream: &str, config: &AssetConfig) -> Result<()>;

    /// Deletes a consumer; one that does not exist is fine.
    async fn delete_consumer(&self, stream: &str, name: &str) -> Result<()>;

    /// How far a consumer is, or `None` if it does not exist.
    async fn progress(&self, stream: &str, durable: &str) -> Result<Option<Progress>>;

    /// Opens the pull of a durable consumer.
    async fn pull(&self, stream: &str, durable: &str) -> Result<Box<dyn Pull>>;

    /// The messages that a consumer has delivered, that nobody has answered and that cannot be read from a pull.
    async fn unreadable(&self, stream: &str, durable: &str) -> Result<Vec<Received>>;

    /// Answers a delivery. `Ok` means handed to the connection; [`Transport::flush`] makes it certain.
    async fn answer(&self, token: &str, answer: Answer) -> Result<()>;

    /// Whether acknowledgements are better handed over several at once, by [`Transport::acknowledge`].
    fn gathers_acknowledgements(&self) -> bool {
        false
    }

    /// Hands an acknowledgement to the connection as [`Transport::answer`] does. `None` when that would have to wait for
    /// room: then nothing was sent.
    fn acknowledge(&self, _token: &str) -> Option<Result<()>> {
        None
    }

    /// Acknowledges a delivery and waits until the server has said that it did.
    async fn confirm(&self, token: &str) -> Result<()>;

    /// Restarts the `ack_wait` of deliveries of one consumer; an error when that is not certain.
    async fn in_progress(&self, tokens: &[String]) -> Result<()>;

    /// Writes out everything handed over so far and waits for one answer of the server.
    async fn flush(&self, stream: &str, limit: Duration) -> Result<()>;

    /// Ends the connection after a flush.
    async fn close(&self, limit: Duration);
}
