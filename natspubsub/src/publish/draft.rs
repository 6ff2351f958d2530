//! A message before it is written: everything about it but its value.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use jiff::Timestamp;
use natspubsub_grammar::normalize_topic;
use uuid::Uuid;

use super::author::Author;
use crate::clock::event_id;
use crate::error::{BoxError, Error, ErrorKind, Result};
use crate::message::{
    Encode, Event, Headers, Metadata, Sheet, Violations, WriteFault, check_event_id, headers, write_encoded,
};
use crate::metrics::Measured;
use crate::trace::{Cause, SendSpan, carry};
use crate::transport::Outbound;

/// The version of a value that declares none.
const VERSION: u32 = 1;

/// The shortest lifetime that the server knows.
const TTL_MIN: Duration = Duration::from_secs(1);

/// Where a message goes.
#[derive(Debug, Clone)]
pub(super) enum Destination {
    /// Behind environment and application.
    Topic(String),
    /// As it stands.
    Subject(ByteString),
}

/// Everything about a message but its value.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) destination: Destination,
    pub(super) version: u32,
    pub(super) message_type: Option<&'static str>,
    pub(super) event_id: Option<String>,
    /// Whether the message id names the topic too, because the same event goes to others.
    pub(super) is_one_of_many: bool,
    pub(super) occurred_at: Option<Timestamp>,
    pub(super) metadata: Metadata,
    pub(super) headers: Headers,
    pub(super) expected_last_sequence: Option<u64>,
    pub(super) ttl: Option<Duration>,
    pub(super) delay: Option<Duration>,
    /// Whether JSON lies in an envelope.
    pub(super) is_enveloped: bool,
    /// The rules of its type that the value breaks. In a box: a publish that waits holds little.
    pub(super) broken: Option<Box<Violations>>,
}

/// A value as it is written.
pub(super) struct Content<'a> {
    pub(super) media_type: Option<&'a str>,
    /// Its type, for people.
    pub(super) type_name: &'a str,
    /// Its bytes, where it holds them.
    pub(super) whole: Option<Bytes>,
    pub(super) encode: &'a dyn Fn(&mut Vec<u8>) -> Result<(), BoxError>,
}

impl<'a> Content<'a> {
    fn of<T: Encode + ?Sized>(value: &T, encode: &'a dyn Fn(&mut Vec<u8>) -> Result<(), BoxError>) -> Self {
        let (media_type, type_name) = (T::CONTENT_TYPE, std::any::type_name::<T>());
        Self { media_type, type_name, whole: value.encoded(), encode }
    }

    fn write(&self, sheet: Sheet<'_>, author: &Author<'_>) -> Result<(Headers, Bytes), WriteFault> {
        write_encoded(sheet, self.media_type, self.encode, self.whole.clone(), &author.rules, author.max_payload)
    }

    fn unwritten(&self, author: &Author<'_>, subject: &str, topic: &str, fault: WriteFault) -> Error {
        match fault {
            WriteFault::TooLarge { size } => author.too_large(subject, size),
            WriteFault::Encode(error) => unencoded(self.type_name, topic, error),
        }
    }
}

/// The error of a value that cannot be encoded.
pub(super) fn unencoded(type_name: &str, topic: &str, error: BoxError) -> Error {
    Error::new(ErrorKind::Encode, format!("a {type_name} for {topic:?} could not be written")).with_source(error)
}

/// A message as it is sent.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) event_id: String,
    /// Where it is stored in the end, if it waits elsewhere before.
    target: Option<String>,
    pub(super) outbound: Outbound,
    /// Lasts as long as this.
    pub(super) span: SendSpan,
    /// Set when it is published.
    pub(super) measured: Measured,
}

impl Prepared {
    /// Where it is stored in the end.
    pub(super) fn subject(&self) -> &str {
        self.target.as_deref().unwrap_or(&self.outbound.subject)
    }

    /// The event's id, and where it is stored in the end.
    pub(super) fn into_names(self) -> (String, String) {
        (self.event_id, self.target.unwrap_or(self.outbound.subject))
    }
}

impl Draft {
    pub(super) fn new(destination: Destination) -> Self {
        Self {
            destination,
            version: VERSION,
            message_type: None,
            event_id: None,
            is_one_of_many: false,
            occurred_at: None,
            metadata: Metadata::default(),
            headers: Headers::default(),
            expected_last_sequence: None,
            ttl: None,
            delay: None,
            is_enveloped: true,
            broken: None,
        }
    }

    /// What the type of an event says about its message.
    pub(super) fn of_event<E: Event>(event: &E) -> Self {
        let destination = match E::IS_RAW {
            true => Destination::Subject(E::TOPIC.into()),
            false => Destination::Topic(E::TOPIC.to_owned()),
        };
        Self {
            message_type: Some(E::MESSAGE_TYPE),
            version: E::VERSION,
            event_id: event.id(),
            broken: event.check_rules().err().map(Box::new),
            ..Self::new(destination)
        }
    }

    pub(super) fn topic(topic: impl Into<String>) -> Self {
        Self::new(Destination::Topic(topic.into()))
    }

    /// What the caller calls the destination.
    pub(super) fn name(&self) -> &str {
        match &self.destination {
            Destination::Topic(name) => name,
            Destination::Subject(name) => name,
        }
    }

    /// The same, without the rest.
    pub(super) fn into_name(self) -> String {
        match self.destination {
            Destination::Topic(name) => name,
            Destination::Subject(name) => name.to_string(),
        }
    }

    /// Whether there is nothing to say about the message but its value.
    pub(super) fn is_wordless(&self) -> bool {
        let is_unnamed = self.event_id.is_none() && self.broken.is_none() && self.delay.is_none();
        is_unnamed && self.headers.is_empty() && self.metadata.is_empty()
    }

    /// Writes a message that nobody stores, and refuses what must not be sent.
    pub(super) fn prepare_core<T: Encode + ?Sized>(&self, author: &Author<'_>, value: &T) -> Result<Prepared> {
        self.prepare_core_content(author, &Content::of(value, &|into| value.encode(into)))
    }

    /// The same of a value that is encoded already.
    pub(super) fn prepare_core_content(&self, author: &Author<'_>, value: &Content<'_>) -> Result<Prepared> {
        self.check()?;
        let subject = self.name();
        natspubsub_grammar::check_subject(subject)?;
        self.check_value(author, subject, value.encode)?;
        // Without an envelope nothing says when.
        let is_dated = self.is_enveloped || author.rules.full_headers;
        let now = if is_dated { author.clock.now() } else { Timestamp::UNIX_EPOCH };
        // Nor would anybody read it.
        let event_id = match self.is_enveloped {
            true => self.event_id.clone().unwrap_or_else(|| event_id(author.clock, now)),
            false => String::new(),
        };
        let origin = author.origin();
        let span = SendSpan::begin(author.act, subject, Some(event_id.as_str()).filter(|id| !id.is_empty()), &origin);
        let sheet = Sheet { is_core: true, ..self.sheet(author, &span, &origin, &event_id, subject, now) };
        let written = value.write(sheet, author).map_err(|fault| value.unwritten(author, subject, subject, fault));
        let (headers, body) = written.inspect_err(|error| span.failed(error.kind().name()))?;
        span.sized(body.len());
        let outbound = Outbound { subject: subject.to_owned(), headers, body };
        Ok(Prepared { event_id, target: None, outbound, span, measured: Measured::default() })
    }

    /// What the message says, but for its value; the event's id is its message id.
    fn sheet<'a>(
        &'a self,
        author: &Author<'a>,
        span: &SendSpan,
        origin: &Cause<'_>,
        event_id: &'a str,
        topic: &'a str,
        now: Timestamp,
    ) -> Sheet<'a> {
        let mut headers = self.headers.clone();
        let ids = carry(span, origin, &mut headers);
        Sheet {
            event_id,
            message_id: event_id,
            loses_message_id: self.delay.is_some(),
            schema_version: self.version,
            topic,
            message_type: self.message_type,
            producer: author.config.app(),
            occurred_at: self.occurred_at.unwrap_or(now),
            published_at: now,
            metadata: author.metadata(&self.metadata, ids),
            is_enveloped: self.is_enveloped,
            is_core: false,
            headers,
        }
    }

    /// Writes the message, and refuses what must not be sent.
    pub(super) fn prepare<T: Encode + ?Sized>(&self, author: &Author<'_>, value: &T) -> Result<Prepared> {
        self.prepare_content(author, &Content::of(value, &|into| value.encode(into)))
    }

    /// The same of a value that is encoded already.
    pub(super) fn prepare_content(&self, author: &Author<'_>, value: &Content<'_>) -> Result<Prepared> {
        self.check()?;
        let config = author.config;
        let (topic, subject) = match &self.destination {
            Destination::Topic(topic) => {
                let topic = normalize_topic(topic)?;
                let subject = config.namespace.subject(&topic);
                (topic, subject)
            }
            Destination::Subject(subject) => (Cow::Borrowed(&**subject), subject.to_string()),
        };
        natspubsub_grammar::check_subject(&subject)?;
        self.check_value(author, &topic, value.encode)?;
        let now = author.clock.now();
        let event_id = self.event_id.clone().unwrap_or_else(|| event_id(author.clock, now));
        let message_id = if self.is_one_of_many { Some(format!("{event_id}:{topic}")) } else { None };
        let origin = author.origin();
        let span = SendSpan::begin(author.act, &subject, event_id.as_str(), &origin);
        let mut sheet = self.sheet(author, &span, &origin, &event_id, &topic, now);
        sheet.message_id = message_id.as_deref().unwrap_or(&event_id);
        let waits_on = self.delay.map(|_| config.namespace.schedule_subject(&topic, &schedule_id(&event_id)));
        waits_on.iter().try_for_each(|subject| natspubsub_grammar::check_subject(subject))?;
        self.push_commands(&mut sheet.headers, &subject, now)?;
        if waits_on.is_some() && value.media_type.is_some() && message_id.is_none() {
            // The server takes the message id off what it publishes itself.
            sheet.headers.push_own(headers::bare::EVENT_ID, event_id.as_str());
        }
        let written = value.write(sheet, author).map_err(|fault| value.unwritten(author, &subject, &topic, fault));
        let (headers, body) = written.inspect_err(|error| span.failed(error.kind().name()))?;
        span.sized(body.len());
        let (subject, target) = match waits_on {
            Some(waits_on) => (waits_on, Some(subject)),
            None => (subject, None),
        };
        Ok(Prepared {
            event_id,
            target,
            outbound: Outbound { subject, headers, body },
            span,
            measured: Measured::default(),
        })
    }

    /// Refuses a value that breaks the rules of its type or the schema of its topic.
    fn check_value(
        &self,
        author: &Author<'_>,
        topic: &str,
        encode: impl Fn(&mut Vec<u8>) -> Result<(), BoxError>,
    ) -> Result<()> {
        let broken = match &self.broken {
            Some(broken) => Some(Violations::clone(broken)),
            None if author.schemas.apply_to(topic) => {
                let mut body = Vec::new();
                // What cannot be encoded is told when it is written.
                encode(&mut body).ok().and_then(|()| author.schemas.check(topic, &body).err())
            }
            None => None,
        };
        let Some(broken) = broken else { return Ok(()) };
        let text = format!("a message for {topic:?} is not sent: {broken}");
        Err(Error::new(ErrorKind::Validation, text).with_source(broken))
    }

    fn check(&self) -> Result<()> {
        if let Some(id) = &self.event_id {
            check_event_id(id).map_err(|fault| Error::new(ErrorKind::InvalidHeader, fault.to_string()))?;
        }
        if self.delay.is_some() && matches!(self.destination, Destination::Subject(_)) {
            let text = "a message on a raw subject cannot be delayed; publish it to a topic";
            return Err(Error::new(ErrorKind::InvalidSubject, text));
        }
        self.headers.check_user()
    }

    /// Headers that command the server.
    fn push_commands(&self, to: &mut Headers, subject: &str, now: Timestamp) -> Result<()> {
        if let Some(sequence) = self.expected_last_sequence {
            to.push_own(headers::EXPECTED_LAST_SEQUENCE, sequence.to_string());
        }
        if let Some(ttl) = self.ttl {
            // The lifetime of a delayed message begins when it is published.
            let name = if self.delay.is_some() { headers::SCHEDULE_TTL } else { headers::TTL };
            // The server knows whole seconds; a message lives no shorter than was asked for.
            to.push_own(name, format!("{}s", ttl.max(TTL_MIN).as_secs_f64().ceil()));
        }
        if let Some(delay) = self.delay {
            let at = now.checked_add(delay).map_err(|_| {
                let text =
                    format!("a delay of {delay:?} from now is no time that can be written; choose a shorter one");
                Error::new(ErrorKind::InvalidHeader, text)
            })?;
            to.push_own(headers::SCHEDULE, format!("@at {at}"));
            to.push_own(headers::SCHEDULE_TARGET, subject);
        }
        Ok(())
    }
}

/// Each delayed message waits on a subject of its own: a later one on the same subject would replace it. An event id can
/// hold what a token cannot, so the token is made from it.
fn schedule_id(event_id: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, event_id.as_bytes()).simple().to_string()
}
