//! Publishing: topic to subject, value to envelope, confirmation to result.

mod atomic;
mod author;
mod batch;
mod buffered;
mod buffered_subject;
mod dead_letters;
mod draft;
mod entry;
mod message;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod outbox;
mod outlet;
mod pipeline;
mod published;
mod publisher;
mod report;
mod request;
mod returned;
mod send;
mod subject;
mod under_way;
mod window;

pub use atomic::AtomicBatch;
pub use batch::PublishBatch;
pub use buffered::{BufferedPublisher, FlushReport};
pub use buffered_subject::BufferedSubject;
pub use dead_letters::DeadLetters;
pub use message::MessageBuilder;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use outbox::{InTransaction, Outbox, OutboxEntry, Queued, Tx};
pub(crate) use published::PublishListener;
pub use published::Published;
pub use publisher::Publisher;
pub use report::{BatchReport, MultiPublished, PublishResult};
pub use request::{Replies, RequestMany};
pub use returned::publish_returned;
pub use subject::SubjectPublisher;
