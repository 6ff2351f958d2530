//! Who writes a message: the names, rules and time that it is written with, and what it is caused by.

use std::borrow::Cow;

use crate::clock::Clock;
use crate::config::{Config, WireHeaders};
use crate::error::{Error, ErrorKind};
use crate::message::{Context, Metadata, WireRules};
use crate::middleware::Schemas;
use crate::trace::{Act, Cause, Ids, Scope};

/// What every message of one writer has in common.
#[derive(Clone, Copy)]
pub(super) struct Author<'a> {
    pub(super) config: &'a Config,
    pub(super) clock: &'a dyn Clock,
    pub(super) rules: WireRules,
    /// The most bytes that the server takes.
    pub(super) max_payload: usize,
    /// What the topics of messages ask for.
    pub(super) schemas: &'a Schemas,
    /// The message whose handling writes.
    pub(super) cause: Option<&'a Context>,
    /// Where it is handled.
    pub(super) scope: &'a Scope,
    /// What is done with its messages.
    pub(super) act: Act,
}

impl Author<'_> {
    /// What the configuration says about writing.
    pub(super) fn rules(config: &Config) -> WireRules {
        WireRules {
            full_headers: config.wire_headers == WireHeaders::Full,
            mirror_payload: config.mirror_payload,
            compress_above: config.compress_above,
        }
    }

    /// What a message says about its cause: correlation is kept, causation is the handled event.
    pub(super) fn metadata<'b>(&self, own: &'b Metadata, span: Option<Ids>) -> Cow<'b, Metadata> {
        let app_version = &self.config.app_version;
        if self.cause.is_none() && app_version.is_none() && span.is_none() {
            return Cow::Borrowed(own);
        }
        let mut metadata = own.clone();
        metadata.app_version = metadata.app_version.or_else(|| app_version.clone());
        // A trace of the caller's own is not the one of the span.
        if let Some(Ids { trace_id, span_id }) = span.filter(|_| metadata.trace_id.is_none()) {
            metadata.trace_id = Some(trace_id);
            metadata.span_id = metadata.span_id.or(Some(span_id));
        }
        let Some(cause) = self.cause else { return Cow::Owned(metadata) };
        let text = |id: &str| Some(id.to_owned());
        metadata.trace_id = metadata.trace_id.or_else(|| cause.trace_id().and_then(text));
        metadata.correlation_id =
            metadata.correlation_id.or_else(|| text(cause.correlation_id().unwrap_or(cause.event_id())));
        metadata.causation_id = metadata.causation_id.or_else(|| text(cause.event_id()));
        Cow::Owned(metadata)
    }

    /// Whether it says nothing about itself and about what it is caused by, and leaves values as they are.
    pub(super) fn is_wordless(&self) -> bool {
        let is_as_it_is = !self.rules.full_headers && self.rules.compress_above.is_none();
        is_as_it_is && self.cause.is_none() && self.config.app_version.is_none()
    }

    /// What the spans of its messages are caused by.
    pub(super) fn origin(&self) -> Cause<'_> {
        Cause { scope: self.scope, headers: self.cause.map(Context::headers), baggage: self.config.baggage }
    }

    /// The error for a message that the server would not take.
    pub(super) fn too_large(&self, subject: &str, size: usize) -> Error {
        let limit = self.max_payload;
        let text = format!(
            "a message for {subject} has {size} bytes, and the server takes {limit} (max_payload); send less, or store the body elsewhere and publish a reference"
        );
        Error::new(ErrorKind::PayloadTooLarge { size, limit }, text)
    }
}
