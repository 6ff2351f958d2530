//! Publishing: topic to subject, value to envelope, confirmation to result.

mod message;
mod publisher;

pub use message::MessageBuilder;
pub use publisher::{Published, Publisher};
