//! What is refused, with the number and the words of nats-server 2.15.1.

use std::borrow::Cow;

use crate::error::Error;
use crate::transport::ApiFault;
use crate::transport::port::PublishFault;

/// A number and the words that go with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: u32,
    pub(super) words: Cow<'static, str>,
}

pub(super) const STREAM_NOT_FOUND: Refusal = Refusal::of(10059, "stream not found");
pub(super) const STREAM_EXISTS: Refusal =
    Refusal::of(10058, "stream name already in use with a different configuration");
pub(super) const SUBJECTS_OVERLAP: Refusal = Refusal::of(10065, "subjects overlap with an existing stream");
pub(super) const SEALED: Refusal = Refusal::of(10109, "invalid operation on sealed stream");
pub(super) const DELETE_DENIED: Refusal = Refusal::of(10057, "message delete not permitted");
pub(super) const PURGE_DENIED: Refusal = Refusal::of(10110, "stream purge not permitted");
pub(super) const CONSUMER_EXISTS: Refusal = Refusal::of(10148, "consumer already exists");
pub(super) const NO_CONSUMER: Refusal = Refusal::of(10149, "consumer does not exist");
pub(super) const CONSUMERS_MAX: Refusal = Refusal::of(10026, "maximum consumers limit reached");
pub(super) const MESSAGE_SIZE: Refusal = Refusal::of(10054, "message size exceeds maximum allowed");
pub(super) const ATOMIC_DISABLED: Refusal = Refusal::of(10174, "atomic publish is disabled");
pub(super) const BATCH_INCOMPLETE: Refusal = Refusal::of(10176, "atomic publish batch is incomplete");
pub(super) const BATCH_SEQUENCE: Refusal = Refusal::of(10164, "wrong last sequence");
pub(super) const BATCH_DUPLICATE: Refusal = Refusal::of(10201, "atomic publish batch contains duplicate message id");

impl Refusal {
    pub(super) const fn of(code: u32, words: &'static str) -> Self {
        Self { code, words: Cow::Borrowed(words) }
    }

    /// Of a configuration of a stream.
    pub(super) fn stream(words: impl Into<Cow<'static, str>>) -> Self {
        Self { code: 10052, words: words.into() }
    }

    /// The error of a request to the JetStream API, as that of a server.
    pub(super) fn error(self, operation: &str) -> Error {
        ApiFault::refused(&format!("the server refused {operation}"), self.code, &self.words)
    }
}

/// None of these passes by itself, and none leaves open whether the message was stored.
impl From<Refusal> for PublishFault {
    fn from(refusal: Refusal) -> Self {
        Self::Rejected(format!("{} ({})", refusal.words, refusal.code))
    }
}
