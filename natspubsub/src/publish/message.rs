//! A message built step by step, for what `publish` and `send` do not say.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::draft::{Destination, Draft};
use super::publisher::Publisher;
use crate::message::Encode;
use crate::topology::Feature;

/// A message on its way, made by [`Publisher::message`], or for an outbox by `Outbox::message`.
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
pub struct MessageBuilder<'a, T: ?Sized, By = &'a Publisher> {
    /// What takes the message.
    pub(super) by: By,
    pub(super) value: &'a T,
    pub(super) draft: Draft,
}

impl<'a, T: Encode + ?Sized, By> MessageBuilder<'a, T, By> {
    pub(super) fn new(by: By, value: &'a T, draft: Draft) -> Self {
        Self { by, value, draft }
    }

    /// The topic that the message is published to.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.message("ORD-1").topic("order.created").publish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.draft.destination = Destination::Topic(topic.into());
        self
    }

    /// The event's id instead of a new UUID; the stream stores one message of an id inside its duplicate window. 1 to 128
    /// characters of A-Z, a-z, 0-9, `.`, `_`, `:` and `-`.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.message("ORD-1").topic("order.created").event_id("order-created-ORD-1").publish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn event_id(mut self, id: impl Into<String>) -> Self {
        self.draft.event_id = Some(id.into());
        self
    }

    /// The conversation that the message belongs to. Default, in a handler: the one of the handled message.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.message("ORD-1").topic("order.created").correlation_id("checkout-7").publish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn correlation_id(mut self, id: impl Into<String>) -> Self {
        self.draft.metadata.correlation_id = Some(id.into());
        self
    }

    /// The event that caused this one. Default, in a handler: the handled event.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.message("ORD-1").topic("order.created").causation_id("cart-closed-7").publish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn causation_id(mut self, id: impl Into<String>) -> Self {
        self.draft.metadata.causation_id = Some(id.into());
        self
    }

    /// The trace that the message belongs to. Default, in a handler: the one of the handled message.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.message("ORD-1").topic("order.created").trace_id("4bf92f3577b34da6a3ce929d0e0e4736").publish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn trace_id(mut self, id: impl Into<String>) -> Self {
        self.draft.metadata.trace_id = Some(id.into());
        self
    }

    /// The user on whose behalf the message is published.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.message("ORD-1").topic("order.created").user_id("ann").publish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn user_id(mut self, id: impl Into<String>) -> Self {
        self.draft.metadata.user_id = Some(id.into());
        self
    }

    /// The tenant on whose behalf the message is published.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.message("ORD-1").topic("order.created").tenant_id("acme").publish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn tenant_id(mut self, id: impl Into<String>) -> Self {
        self.draft.metadata.tenant_id = Some(id.into());
        self
    }

    /// Adds a value to the metadata; an id that has a method of its own here is set by either. At most 64 KiB
    /// of JSON in all.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.message("ORD-1").topic("order.created").metadata("channel", "web").publish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.draft.metadata.set(key.into(), value.into());
        self
    }

    /// Adds a header. Names that start with `Nats-` are refused, because they command the server, and so are `Status` and
    /// `Description`, where clients find what the server says; at most 64 headers, 8 KiB each, 32 KiB in all.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.message("ORD-1").topic("order.created").header("x-request-id", "r-1").publish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.draft.headers.push(name, value);
        self
    }

    /// When the event occurred. Default: now.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// let at = "2026-01-02T03:04:05Z".parse().expect("a time");
    /// publisher.message("ORD-1").topic("order.created").occurred_at(at).publish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn occurred_at(mut self, at: Timestamp) -> Self {
        self.draft.occurred_at = Some(at);
        self
    }

    /// Stores the message only if the last message of the stream has this number, 0 for an empty stream; else the error is
    /// [`ErrorKind::Rejected`](crate::ErrorKind::Rejected) and names 10071.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.message("ORD-1").topic("order.created").expected_last_sequence(41).publish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn expected_last_sequence(mut self, sequence: u64) -> Self {
        self.draft.expected_last_sequence = Some(sequence);
        self
    }

    /// How long the stream keeps the message; whole seconds, at least one. Needs nats-server 2.11. The stream is allowed
    /// lifetimes of single messages when the first one asks for it, which the server does not take back; the stream of a
    /// raw subject must allow them already (`allow_msg_ttl`).
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// let hour = std::time::Duration::from_secs(3_600);
    /// publisher.message("4711").topic("code.sent").ttl(hour).publish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.draft.ttl = Some(ttl);
        self
    }

    /// Delivers the message this much later; the server keeps it until then. Needs nats-server 2.12. The stream is allowed
    /// schedules, under `{env}.schedule.{app}.>`, when the first message asks for it, which the server does not take back.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// let minute = std::time::Duration::from_secs(60);
    /// publisher.message("ORD-1").topic("order.reminded").delay(minute).publish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn delay(mut self, delay: Duration) -> Self {
        self.draft.delay = Some(delay);
        self
    }

    /// What the stream must allow for this message.
    pub(super) fn features(&self) -> impl Iterator<Item = Feature> + use<'a, T, By> {
        // The stream of a raw subject is not the application's to change.
        let is_ours = matches!(self.draft.destination, Destination::Topic(_));
        let ttl = self.draft.ttl.filter(|_| is_ours).map(|_| Feature::MessageTtl);
        let delay = self.draft.delay.map(|_| Feature::Schedules);
        ttl.into_iter().chain(delay)
    }
}
