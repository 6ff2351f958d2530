//! What travels: the envelope, the headers, the codec and the context of one message.

mod codec;
mod context;
mod envelope;
mod event;
pub(crate) mod headers;
mod metadata;

pub use codec::Raw;
pub(crate) use codec::decode_json;
pub use context::Context;
pub(crate) use context::Origin;
pub(crate) use envelope::{EnvelopeIn, EnvelopeOut, check_event_id};
pub use event::{Event, NoTopic, TopicIn, TopicOf, can_deliver};
pub use headers::Headers;
pub use metadata::Metadata;
