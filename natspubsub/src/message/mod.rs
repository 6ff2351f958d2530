//! What travels: the envelope, the headers, the codec and the context of one message.

#[cfg(test)]
mod captured;
mod codec;
mod context;
mod depth;
mod encode;
mod envelope;
mod event;
mod gzip;
pub(crate) mod headers;
mod metadata;
#[cfg(feature = "prost")]
mod proto;
#[cfg(test)]
mod round_trip;
mod skim;
mod violations;
mod wire;

pub use codec::Raw;
pub(crate) use codec::{Body, DecodeFault};
pub use context::Context;
#[cfg(any(test, feature = "testing"))]
pub(crate) use context::Origin;
pub(crate) use context::{Facts, Moment, Recipient, Source};
pub(crate) use encode::BYTES;
pub use encode::Encode;
#[cfg(any(test, feature = "testing"))]
pub(crate) use envelope::EnvelopeIn;
pub(crate) use envelope::{EnvelopeParts, check_event_id};
pub use event::{Event, NoTopic, TopicIn, TopicOf, can_deliver};
pub(crate) use gzip::INFLATE_MAX;
#[cfg(test)]
pub(crate) use gzip::deflate;
pub use headers::Headers;
pub use metadata::Metadata;
#[cfg(feature = "prost")]
pub use proto::Proto;
pub use violations::{Rules, Violations};
#[cfg(test)]
pub(crate) use wire::write;
pub(crate) use wire::{Sheet, WireRules, WriteFault, write_encoded};
