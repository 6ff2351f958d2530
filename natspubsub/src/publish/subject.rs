//! Raw subjects: no environment and application before them.

use bytes::Bytes;
use bytestring::ByteString;

use super::draft::{Destination, Draft, Prepared};
use super::message::MessageBuilder;
use super::outgoing::Way;
use super::published::Published;
use super::publisher::Publisher;
use crate::error::Result;
use crate::message::Encode;

/// A raw subject to publish on, made by [`Publisher::subject`].
///
/// ```
/// # use natspubsub::prelude::*;
/// # async fn example(publisher: Publisher) -> natspubsub::Result {
/// publisher.subject("match.found").send(&serde_json::json!({ "rider": 7 })).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is published before `.send(..).await`"]
pub struct SubjectPublisher<'a> {
    publisher: &'a Publisher,
    draft: Draft,
    /// What is sent to, if it can be.
    checked: Option<ByteString>,
}

impl<'a> SubjectPublisher<'a> {
    pub(super) fn new(publisher: &'a Publisher, subject: String) -> Self {
        let subject = ByteString::from(subject);
        let checked = natspubsub_grammar::check_subject(&subject).is_ok().then(|| subject.clone());
        Self { publisher, draft: Draft::new(Destination::Subject(subject)), checked }
    }

    /// Whether JSON lies in an envelope, which is the default. Without one all of the message is the value, as other
    /// programs read it and subscribers with `envelope = false` do; the event's id is the header `Nats-Msg-Id`, and what
    /// nobody stores has none.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.subject("chat.workflow.execute.s-1").envelope(false).send(&["Why?"]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn envelope(mut self, is_enveloped: bool) -> Self {
        self.draft.is_enveloped = is_enveloped;
        self
    }

    /// Publishes a value to the stream that takes the subject, and waits until it is stored.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.subject("match.found").send("rider 7").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Publisher::publish`]; [`ErrorKind::Rejected`](crate::ErrorKind::Rejected) when no stream takes the subject.
    pub async fn send<T: Encode + ?Sized>(&self, value: &T) -> Result<Published> {
        self.message(value).begin()?.await
    }

    /// Starts a stored message with an event id, metadata or headers of the caller's.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.subject("match.found").message("rider 7").event_id("match-7").publish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn message<'b, T: Encode + ?Sized>(&'b self, value: &'b T) -> MessageBuilder<'b, T> {
        MessageBuilder::new(self.publisher, value, self.draft.clone())
    }

    /// Publishes a value to whoever listens now. Nothing is stored and nothing is confirmed: a message that
    /// nobody listens to is gone.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.subject("chat.pod.pod-1.response").send_core("a chunk").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`](crate::ErrorKind::InvalidSubject), [`ErrorKind::Encode`](crate::ErrorKind::Encode), [`ErrorKind::PayloadTooLarge`](crate::ErrorKind::PayloadTooLarge); [`ErrorKind::Connect`](crate::ErrorKind::Connect)
    /// while there is no connection.
    pub async fn send_core<T: Encode + ?Sized>(&self, value: &T) -> Result<()> {
        // What is handed over after the drain would never be written.
        let _under_way = self.publisher.outlet().accept()?;
        match self.publisher.layers() {
            None => match self.bare(value) {
                Some((subject, body)) => self.publisher.hand_over_bare(subject, body?).await,
                None => Box::pin(self.publisher.hand_over_core(self.prepare_core(value)?)).await,
            },
            Some(layers) => {
                let outgoing = self.message(value).outgoing(Way::Core)?;
                Box::pin(self.publisher.send_core_through(layers, outgoing)).await
            }
        }
    }

    /// Where to and what to send, if the message is nothing but its value.
    fn bare<T: Encode + ?Sized>(&self, value: &T) -> Option<(ByteString, Result<Bytes>)> {
        let subject = self.checked.as_ref()?;
        Some((subject.clone(), self.draft.bare(&self.publisher.author(), value)?))
    }

    fn prepare_core<T: Encode + ?Sized>(&self, value: &T) -> Result<Prepared> {
        self.draft.prepare_core(&self.publisher.author(), value)
    }
}
