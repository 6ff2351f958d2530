//! The tie between a payload type and its topic.

use super::violations::Violations;

/// A payload type that knows its topic; derive it.
///
/// Publisher, subscriber and tests share what the derive declares.
///
/// ```
/// use natspubsub::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// #[event(topic = "order.created", version = 2, key = "order_id", id = "order-created-{order_id}")]
/// struct OrderCreated { order_id: String }
///
/// let order = OrderCreated { order_id: "ORD-1".into() };
/// assert_eq!((OrderCreated::TOPIC, OrderCreated::MESSAGE_TYPE, OrderCreated::VERSION), ("order.created", "OrderCreated", 2));
/// assert_eq!((order.key().as_deref(), order.id().as_deref()), (Some("ORD-1"), Some("order-created-ORD-1")));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not know its topic",
    label = "not an `Event`",
    note = "add `#[derive(Event)]` and `#[event(topic = \"order.created\")]` to `{Self}`, or name the topic: `publisher.publish(\"order.created\", &value)`, `#[topic_subscriber(\"order.created\")]`"
)]
pub trait Event {
    /// The topic, checked at compile time; the subject when [`Event::IS_RAW`].
    const TOPIC: &'static str;

    /// Whether the event goes to a raw subject, without environment and application before it. Default: it does not.
    const IS_RAW: bool = false;

    /// The name of the type, written as `message_type` into the envelope.
    const MESSAGE_TYPE: &'static str;

    /// The version of the type, written as `schema_version` into the envelope. Default: 1.
    const VERSION: u32 = 1;

    /// The partition key: events of one key belong together. Default: none.
    fn key(&self) -> Option<String> {
        None
    }

    /// The event's id; the stream stores one message of an id inside its duplicate window. Default: `None`, and the
    /// publisher makes a UUID of version 7.
    fn id(&self) -> Option<String> {
        None
    }

    /// Checks the rules of the type, before it is published as an event and before it is handled. Default: it has none;
    /// `#[event(validate)]` takes those of `garde::Validate` (feature `garde`).
    ///
    /// # Errors
    /// The fields that break the rules.
    fn check_rules(&self) -> Result<(), Violations> {
        Ok(())
    }
}

const fn topic_of<T: Event>() -> Option<&'static str> {
    // What goes to a raw subject has no topic.
    if T::IS_RAW { None } else { Some(T::TOPIC) }
}

/// The topic of a payload type, for checks at compile time: an inherent constant of a bounded impl comes before the
/// constant of [`NoTopic`], and falls back to it where the bound does not hold.
pub struct TopicOf<T>(std::marker::PhantomData<T>);

impl<T: Event> TopicOf<T> {
    /// The declared topic.
    pub const TOPIC: Option<&'static str> = topic_of::<T>();
}

/// Types without a topic.
pub trait NoTopic {
    /// Nothing is declared.
    const TOPIC: Option<&'static str> = None;
}
impl<T> NoTopic for TopicOf<T> {}

/// The topic of the event inside a returned value: `T`, `Option<T>`, `Vec<T>`, and `Result` of them.
pub struct TopicIn<R>(std::marker::PhantomData<R>);

impl<T: Event> TopicIn<T> {
    /// The declared topic.
    pub const TOPIC: Option<&'static str> = topic_of::<T>();
}
impl<T: Event> TopicIn<Option<T>> {
    /// The declared topic.
    pub const TOPIC: Option<&'static str> = topic_of::<T>();
}
impl<T: Event> TopicIn<Vec<T>> {
    /// The declared topic.
    pub const TOPIC: Option<&'static str> = topic_of::<T>();
}
impl<T: Event, E> TopicIn<Result<T, E>> {
    /// The declared topic.
    pub const TOPIC: Option<&'static str> = topic_of::<T>();
}
impl<T: Event, E> TopicIn<Result<Option<T>, E>> {
    /// The declared topic.
    pub const TOPIC: Option<&'static str> = topic_of::<T>();
}
impl<T: Event, E> TopicIn<Result<Vec<T>, E>> {
    /// The declared topic.
    pub const TOPIC: Option<&'static str> = topic_of::<T>();
}
impl<R> NoTopic for TopicIn<R> {}

/// Whether one of the patterns delivers the topic, if there is one.
pub const fn can_deliver(topic: Option<&str>, patterns: &[&str]) -> bool {
    let Some(topic) = topic else { return true };
    let mut at = 0;
    while at < patterns.len() {
        if natspubsub_grammar::delivers(patterns[at], topic) {
            return true;
        }
        at += 1;
    }
    false
}
