//! Raw subjects: no environment and application before them.

use serde::de::DeserializeOwned;

use super::draft::{Destination, Draft};
use super::message::MessageBuilder;
use super::published::Published;
use super::publisher::Publisher;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Encode, headers};
use crate::transport::Outbound;

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
    subject: String,
}

impl<'a> SubjectPublisher<'a> {
    pub(super) fn new(publisher: &'a Publisher, subject: String) -> Self {
        Self { publisher, subject }
    }

    /// Publishes a value in an envelope to the stream that takes the subject, and waits until it is stored.
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
    /// As [`Publisher::publish`]; [`ErrorKind::Rejected`] when no stream takes the subject.
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
        MessageBuilder::new(self.publisher, value, Draft::new(Destination::Subject(self.subject.clone())))
    }

    /// Publishes a value in an envelope to whoever listens now. Nothing is stored and nothing is confirmed: a message that
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
    /// [`ErrorKind::InvalidSubject`], [`ErrorKind::Encode`], [`ErrorKind::PayloadTooLarge`]; [`ErrorKind::Connect`]
    /// while there is no connection.
    pub async fn send_core<T: Encode + ?Sized>(&self, value: &T) -> Result<()> {
        // What is handed over after the drain would never be written.
        let _under_way = self.publisher.outlet().accept()?;
        let mut outbound = self.message(value).prepare()?.outbound;
        // Nobody looks for duplicates of what is not stored.
        outbound.headers = outbound.headers.without_control();
        self.publisher.outlet().transport.publish_core(self.publisher.lane(), outbound).await
    }

    /// Sends a request as plain bytes of the codec, without an envelope.
    pub(super) async fn request<T: Encode + ?Sized, R: DeserializeOwned>(&self, value: &T) -> Result<R> {
        let subject = &self.subject;
        natspubsub_grammar::check_subject(subject)?;
        let outlet = self.publisher.outlet();
        let mut body = Vec::new();
        value.encode(&mut body).map_err(|error| {
            let text = format!("the request on {subject} could not be written");
            Error::new(ErrorKind::Encode, text).with_source(error)
        })?;
        let mut written = self.publisher.author().trace_headers(headers::Headers::default());
        if let Some(content_type) = T::CONTENT_TYPE {
            written.push(headers::CONTENT_TYPE, content_type);
        }
        let outbound = Outbound { subject: subject.clone(), headers: written, body: body.into() };
        outlet.check_size(&outbound)?;
        let reply = outlet.transport.request(outbound, outlet.config.publish_timeout).await?;
        if let Some(words) = reply.headers.get(headers::SERVICE_ERROR) {
            let code = reply.headers.get(headers::SERVICE_ERROR_CODE).unwrap_or("none");
            return Err(Error::new(ErrorKind::Server, format!("{subject} answered with error {code}: {words}")));
        }
        serde_json::from_slice(&reply.body).map_err(|error| {
            let text = format!("the reply of {subject} is no {}", std::any::type_name::<R>());
            Error::new(ErrorKind::Server, text).with_source(error)
        })
    }
}
