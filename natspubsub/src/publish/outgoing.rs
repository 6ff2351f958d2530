//! A message on its way through the middleware around publishing.

use std::fmt;

use serde_json::Value;

use super::author::Author;
use super::draft::{Content, Draft, Prepared, unencoded};
use crate::clock::event_id;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Encode, Headers, Metadata};

/// What becomes of a message that is published.
///
/// ```
/// use natspubsub::Way;
/// assert_ne!(Way::Stored, Way::Core);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Way {
    /// A stream stores it.
    Stored,
    /// Whoever listens now receives it; nobody stores it.
    Core,
    /// It is written into an outbox, and a relay publishes it later.
    Outbox,
}

/// A message before it is written: its value is encoded, its envelope is not.
///
/// ```
/// use natspubsub::{Error, NextPublish, Outgoing, Published, PublishMiddleware};
///
/// struct Sizes;
///
/// impl PublishMiddleware for Sizes {
///     async fn publish(&self, outgoing: Outgoing, next: NextPublish<'_>) -> Result<Published, Error> {
///         println!("{} {} has {} bytes", outgoing.topic(), outgoing.event_id(), outgoing.body().len());
///         next.run(outgoing).await
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Outgoing {
    pub(super) draft: Draft,
    event_id: String,
    body: Vec<u8>,
    media_type: Option<&'static str>,
    value_type: &'static str,
    way: Way,
}

impl Outgoing {
    pub(super) fn of<T: Encode + ?Sized>(mut draft: Draft, value: &T, way: Way, author: &Author<'_>) -> Result<Self> {
        let value_type = std::any::type_name::<T>();
        let event_id = draft.event_id.take().unwrap_or_else(|| event_id(author.clock, author.clock.now()));
        draft.event_id = Some(event_id.clone());
        let mut body = Vec::new();
        value.encode(&mut body).map_err(|error| unencoded(value_type, draft.name(), error))?;
        Ok(Self { draft, event_id, body, media_type: T::CONTENT_TYPE, value_type, way })
    }

    /// The message as it is sent.
    pub(super) fn prepare(&self, author: &Author<'_>) -> Result<Prepared> {
        self.prepare_as(&self.draft, author)
    }

    /// The same with another draft.
    pub(super) fn prepare_as(&self, draft: &Draft, author: &Author<'_>) -> Result<Prepared> {
        let encode = |into: &mut Vec<u8>| {
            into.extend_from_slice(&self.body);
            Ok(())
        };
        let (media_type, type_name) = (self.media_type, self.value_type);
        let value = Content { media_type, type_name, whole: None, encode: &encode };
        match self.way {
            Way::Core => draft.prepare_core_content(author, &value),
            Way::Stored | Way::Outbox => draft.prepare_content(author, &value),
        }
    }

    /// The topic, as the caller names it; the subject of a message on a raw subject.
    pub fn topic(&self) -> &str {
        self.draft.name()
    }

    /// The event's id.
    pub fn event_id(&self) -> &str {
        &self.event_id
    }

    /// The name of the event's type, if it declares one.
    pub fn message_type(&self) -> Option<&str> {
        self.draft.message_type
    }

    /// What becomes of the message.
    pub fn way(&self) -> Way {
        self.way
    }

    /// The encoded value, without its envelope.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The headers of the caller and of the layers before. What the handled message adds comes later.
    pub fn headers(&self) -> &Headers {
        &self.draft.headers
    }

    /// The metadata of the caller and of the layers before. What the handled message adds comes later.
    pub fn metadata(&self) -> &Metadata {
        &self.draft.metadata
    }

    /// Adds a header; [`MessageBuilder::header`](crate::MessageBuilder::header) names the rules, and what breaks them fails
    /// when the message is written.
    pub fn header(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.draft.headers.push(name, value);
        self
    }

    /// Sets a value of the metadata, as [`MessageBuilder::metadata`](crate::MessageBuilder::metadata) does.
    pub fn set_metadata(&mut self, key: impl Into<String>, value: impl Into<Value>) -> &mut Self {
        self.draft.metadata.set(key.into(), value.into());
        self
    }

    /// The error of a layer that does not let the message go: of the kind [`Validation`](crate::ErrorKind::Validation).
    ///
    /// ```
    /// use natspubsub::{Error, NextPublish, Outgoing, Published, PublishMiddleware};
    ///
    /// struct Small;
    ///
    /// impl PublishMiddleware for Small {
    ///     async fn publish(&self, outgoing: Outgoing, next: NextPublish<'_>) -> Result<Published, Error> {
    ///         match outgoing.body().len() {
    ///             ..1_000 => next.run(outgoing).await,
    ///             _ => Err(outgoing.refused("a message has at most 1,000 bytes here")),
    ///         }
    ///     }
    /// }
    /// ```
    pub fn refused(&self, why: impl fmt::Display) -> Error {
        Error::new(ErrorKind::Validation, format!("a message for {:?} is not sent: {why}", self.topic()))
    }
}

impl fmt::Debug for Outgoing {
    /// Without the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Outgoing");
        text.field("topic", &self.topic()).field("event_id", &self.event_id).field("way", &self.way);
        text.finish_non_exhaustive()
    }
}
