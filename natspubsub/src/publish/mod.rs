//! Publishing: topic to subject, value to envelope, confirmation to result.

mod dead_letters;
mod message;
mod outlet;
mod publisher;
mod returned;

pub use dead_letters::DeadLetters;
pub use message::MessageBuilder;
pub use publisher::{Published, Publisher};
pub use returned::publish_returned;
