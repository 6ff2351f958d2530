//! What the port tells, in types that tests can name.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use crate::error::{Error, ErrorKind, chain};
use crate::message::Headers;
use crate::transport::{self, ApiFault, PublishFault, Received};

/// What a transport did not do, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind of fault it is.
    pub kind: FaultKind,
    /// The number that the server gives, `err_code`.
    pub code: Option<u32>,
    /// The sentence.
    pub text: String,
}

/// Kinds of faults: those of a publish, and those of everything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// No stream takes the subject.
    NoStream,
    /// The server refused the message.
    Rejected,
    /// The server takes no more messages for a moment.
    Busy,
    /// The account may not publish on the subject.
    Denied,
    /// There was no connection.
    NotConnected,
    /// No answer: the message may be stored.
    Unknown,
    /// Anything but a publish.
    Asked(ErrorKind),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { kind: FaultKind::Asked(error.kind().clone()), code: ApiFault::code(&error), text: chain(&error) }
    }
}

impl From<PublishFault> for Fault {
    fn from(fault: PublishFault) -> Self {
        let (kind, text) = match fault {
            PublishFault::NoStream => (FaultKind::NoStream, String::new()),
            PublishFault::Rejected(text) => (FaultKind::Rejected, text),
            PublishFault::Busy(text) => (FaultKind::Busy, text),
            PublishFault::Denied(text) => (FaultKind::Denied, text),
            PublishFault::NotConnected(limit) => (FaultKind::NotConnected, format!("within {limit:?}")),
            PublishFault::Unknown(text) => (FaultKind::Unknown, text),
        };
        let number = text.strip_suffix(')').and_then(|text| text.rsplit_once('('));
        let code = number.and_then(|(_, number)| number.parse().ok());
        Self { kind, code, text }
    }
}

/// A result whose error is a [`Fault`].
pub type Answered<T = ()> = Result<T, Fault>;

/// A stored message, or a delivery of one.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Where it was published.
    pub subject: String,
    /// Its headers.
    pub headers: Headers,
    /// Its bytes.
    pub body: Bytes,
    /// Its number in the stream.
    pub sequence: u64,
    /// How often the consumer has delivered it.
    pub deliveries: u64,
    /// When the stream stored it.
    pub stored_at: Timestamp,
    /// What an answer is addressed to; empty where there was no delivery.
    pub token: String,
}

impl From<Received> for Delivery {
    fn from(received: Received) -> Self {
        let Received { subject, headers, body, sequence, deliveries, stored_at, token, .. } = received;
        Self { subject, headers, body, sequence, deliveries, stored_at, token }
    }
}

/// A message that nobody stores.
#[derive(Debug, Clone)]
pub struct CoreMessage {
    /// Where it was published.
    pub subject: String,
    /// Its headers.
    pub headers: Headers,
    /// Its bytes.
    pub body: Bytes,
    /// Where an answer is expected.
    pub reply: Option<String>,
    /// Whether it says that nobody listens where a request went.
    pub no_responders: bool,
}

impl From<transport::CoreMessage> for CoreMessage {
    fn from(message: transport::CoreMessage) -> Self {
        let transport::CoreMessage { message: transport::Outbound { subject, headers, body }, reply, no_responders } =
            message;
        Self { subject, headers, body, reply, no_responders }
    }
}

/// Where a stream stored a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The stream.
    pub stream: String,
    /// The number of the message.
    pub sequence: u64,
    /// Whether it was there before.
    pub duplicate: bool,
}

impl From<transport::Stored> for Stored {
    fn from(transport::Stored { stream, sequence, duplicate }: transport::Stored) -> Self {
        Self { stream, sequence, duplicate }
    }
}

/// A consumer as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsumerState {
    /// Its name.
    pub name: String,
    /// Its configuration.
    pub config: Value,
    /// Every message up to this one is answered, or not for this consumer.
    pub answered: u64,
    /// Messages that were delivered and are not answered.
    pub unanswered: u64,
    /// Pull requests that are open.
    pub waiting: u64,
}

impl From<transport::ConsumerState> for ConsumerState {
    fn from(state: transport::ConsumerState) -> Self {
        let transport::ConsumerState { name, config, answered, unanswered, waiting } = state;
        Self { name, config: Value::Object(config), answered, unanswered, waiting }
    }
}

/// How far a consumer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Every message up to this one is answered, or not for this consumer.
    pub answered: u64,
    /// Messages that were never delivered and could be now.
    pub backlog: u64,
}

impl From<transport::Progress> for Progress {
    fn from(transport::Progress { answered, backlog, .. }: transport::Progress) -> Self {
        Self { answered, backlog }
    }
}
