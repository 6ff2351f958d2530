//! Spans for what happens to messages, and the context of a trace in their headers (W3C Trace Context).
//!
//! Spans are those of the crate `tracing`, at DEBUG under the target `natspubsub::trace`, with the names and attributes of
//! the OpenTelemetry conventions for messaging. Where nobody is interested, none is made and no field is computed.

mod carry;
mod destination;
mod handling;
#[cfg(feature = "otel")]
mod otel;
#[cfg(not(feature = "otel"))]
#[path = "plain.rs"]
mod otel;
mod sending;

use tracing::level_filters::LevelFilter;

pub(crate) use carry::{Cause, Ids, carry};
pub(crate) use destination::Templates;
pub(crate) use handling::{Handling, batch_span, failed, process_span, receive_span, received, settle_span};
pub(crate) use otel::Scope;
pub(crate) use sending::{Act, SendSpan};

/// What spans are filtered by.
const TARGET: &str = "natspubsub::trace";

/// Dropped above this: the limit of W3C Baggage.
const BAGGAGE_BYTES_MAX: usize = 8 * 1024;

/// Whether anybody may be interested in spans; what costs something to say about one is not asked for otherwise. A filter may
/// go by a span's name, so that only the level says it for certain.
pub(crate) fn is_wanted() -> bool {
    LevelFilter::current() >= LevelFilter::DEBUG
}

/// Whether nothing is to be said about the trace of a message that no other one has caused: nobody is interested, and nothing
/// is active.
pub(crate) fn is_untraced(cause: &Cause<'_>) -> bool {
    !is_wanted() && !otel::is_active(cause)
}

/// The fields that say that an operation failed.
fn mark_failed(span: &tracing::Span, error_type: &str) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", error_type);
}
