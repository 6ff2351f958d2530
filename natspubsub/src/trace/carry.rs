//! The context of a trace on its way into the headers of a message.

use super::BAGGAGE_BYTES_MAX;
use super::otel::{self, Scope};
use super::sending::SendSpan;
use crate::message::Headers;
use crate::message::headers::{BAGGAGE, TRACEPARENT, TRACESTATE};

/// What a message is caused by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cause<'a> {
    /// Where the handler ran whose publisher sends it.
    pub(crate) scope: &'a Scope,
    /// The headers of the message that was handled.
    pub(crate) headers: Option<&'a Headers>,
    /// Whether baggage travels too.
    pub(crate) baggage: bool,
}

/// The span that a message belongs to, for its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
}

/// Writes the context of `span` into the headers of its message; where no trace is active, that of the handled message
/// passes on. A context that the caller wrote there stays, and the span links to it.
pub(crate) fn carry(span: &SendSpan, cause: &Cause<'_>, headers: &mut Headers) -> Option<Ids> {
    if headers.get(TRACEPARENT).is_some() {
        span.link(headers);
        return None;
    }
    let written = otel::inject(span.get(), cause, headers);
    if written.is_none()
        && let Some(handled) = cause.headers
    {
        pass_on(handled, cause.baggage, headers);
    }
    written
}

fn pass_on(handled: &Headers, baggage: bool, headers: &mut Headers) {
    for name in [TRACEPARENT, TRACESTATE] {
        if let Some(value) = handled.get(name) {
            headers.push_own(name, value);
        }
    }
    let fits = |value: &&str| baggage && value.len() <= BAGGAGE_BYTES_MAX;
    if headers.get(BAGGAGE).is_none()
        && let Some(value) = handled.get(BAGGAGE).filter(fits)
    {
        headers.push_own(BAGGAGE, value);
    }
}
