//! A message built step by step, for what `publish` and `send` do not say.

use super::publisher::{Published, Publisher};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Encode, Headers, check_event_id};

/// A message on its way, made by [`Publisher::message`].
///
/// ```
/// # use natspubsub::prelude::*;
/// # async fn example(publisher: Publisher) -> natspubsub::Result {
/// let order = serde_json::json!({ "order_id": "ORD-1" });
/// let published = publisher
///     .message(&order)
///     .topic("order.created")
///     .event_id("order-created-ORD-1")
///     .correlation_id("checkout-7")
///     .header("x-request-id", "r-1")
///     .publish()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is published before `.publish().await`"]
pub struct MessageBuilder<'a, T: ?Sized> {
    publisher: &'a Publisher,
    value: &'a T,
    pub(super) draft: Draft,
}

/// Everything about a message but its value.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) version: u32,
    pub(super) topic: Option<String>,
    pub(super) message_type: Option<&'static str>,
    pub(super) event_id: Option<String>,
    pub(super) correlation_id: Option<String>,
    pub(super) headers: Headers,
}

/// The version of a value that declares none.
const VERSION: u32 = 1;

impl Default for Draft {
    fn default() -> Self {
        Self {
            version: VERSION,
            topic: None,
            message_type: None,
            event_id: None,
            correlation_id: None,
            headers: Headers::default(),
        }
    }
}

impl Draft {
    /// Refuses what must not be sent.
    pub(super) fn check(&self) -> Result<()> {
        if let Some(id) = &self.event_id {
            check_event_id(id).map_err(|fault| Error::new(ErrorKind::InvalidHeader, fault.to_string()))?;
        }
        self.headers.check_user()
    }
}

impl<'a, T: Encode + ?Sized> MessageBuilder<'a, T> {
    pub(super) fn new(publisher: &'a Publisher, value: &'a T) -> Self {
        Self { publisher, value, draft: Draft::default() }
    }

    /// The topic that the message is published to.
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.draft.topic = Some(topic.into());
        self
    }

    /// The event's id instead of a new UUID; the stream stores one message of an id inside its duplicate window.
    pub fn event_id(mut self, id: impl Into<String>) -> Self {
        self.draft.event_id = Some(id.into());
        self
    }

    /// The conversation that the message belongs to.
    pub fn correlation_id(mut self, id: impl Into<String>) -> Self {
        self.draft.correlation_id = Some(id.into());
        self
    }

    /// Adds a header. Names that start with `Nats-` are refused, because they command the server.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.draft.headers.push(name, value);
        self
    }

    /// Publishes the message and waits until it is stored.
    ///
    /// # Errors
    /// As [`Publisher::publish`]; and [`ErrorKind::InvalidHeader`] for a header or an event id that breaks the rules.
    pub async fn publish(self) -> Result<Published> {
        self.publisher.publish_draft(&self.draft, self.value).await
    }
}
