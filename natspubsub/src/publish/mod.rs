//! Publishing: topic to subject, value to envelope, confirmation to result.

mod around;
mod atomic;
mod author;
mod bare;
mod batch;
mod buffered;
mod buffered_subject;
mod dead_letters;
mod draft;
mod entry;
mod layered;
mod layered_together;
mod layers;
mod measured;
mod message;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod outbox;
mod outgoing;
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

pub(crate) use around::Around;
pub use atomic::AtomicBatch;
pub use batch::PublishBatch;
pub use buffered::{BufferedPublisher, FlushReport};
pub use buffered_subject::BufferedSubject;
pub use dead_letters::DeadLetters;
pub use layers::{NextPublish, PublishMiddleware};
pub(crate) use layers::{PublishLayer, PublishLayers};
pub use message::MessageBuilder;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use outbox::{InTransaction, Outbox, OutboxEntry, Queued, Tx};
pub use outgoing::{Outgoing, Way};
pub(crate) use published::PublishListener;
pub use published::Published;
pub use publisher::Publisher;
pub use report::{BatchReport, MultiPublished, PublishResult};
pub use request::{Replies, RequestMany};
pub use returned::publish_returned;
pub use subject::SubjectPublisher;
