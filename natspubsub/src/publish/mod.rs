//! Publishing: topic to subject, value to envelope, confirmation to result.

mod message;
mod publisher;
mod returned;

pub use message::MessageBuilder;
pub use publisher::{Published, Publisher};
pub use returned::publish_returned;
