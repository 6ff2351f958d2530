//! The tie between a payload type and its topic.

/// A payload type that knows its topic; derive it.
///
/// Publisher, subscriber and tests share what the derive declares.
///
/// ```
/// use natspubsub::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// #[event(topic = "order.created")]
/// struct OrderCreated { order_id: String }
///
/// assert_eq!(OrderCreated::TOPIC, "order.created");
/// assert_eq!(OrderCreated::MESSAGE_TYPE, "OrderCreated");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not know its topic",
    label = "not an `Event`",
    note = "add `#[derive(Event)]` and `#[event(topic = \"order.created\")]` to `{Self}`, or name the topic with `publisher.publish(\"order.created\", &value)`"
)]
pub trait Event {
    /// The topic, checked at compile time.
    const TOPIC: &'static str;

    /// The name of the type, written as `message_type` into the envelope.
    const MESSAGE_TYPE: &'static str;
}
