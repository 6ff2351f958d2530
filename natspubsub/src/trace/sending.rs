//! The span of one message that is sent, from its first step until it is stored.

use tracing::Span;
use tracing::field::Empty;

use super::carry::Cause;
use super::{TARGET, is_wanted, mark_failed, otel};
use crate::message::Headers;

/// What is done with a message, and so which span it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// It is published; what handles it is a child of this span.
    Publish,
    /// It asks for a reply.
    Request,
    /// It is written into an outbox; what handles it is a child of this span.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    Create,
    /// A dead letter runs again, with the context that it had.
    Replay,
}

impl Act {
    /// `messaging.operation.name`, and `messaging.operation.type`.
    fn operation(self) -> (&'static str, &'static str) {
        match self {
            Self::Publish => ("publish", "send"),
            Self::Request => ("request", "send"),
            #[cfg(any(feature = "postgres", feature = "sqlite"))]
            Self::Create => ("create", "create"),
            Self::Replay => ("replay", "send"),
        }
    }

    /// `producer` where the span's context travels with the message.
    fn kind(self) -> &'static str {
        match self {
            Self::Replay => "client",
            _ => "producer",
        }
    }
}

/// The span of one message that is sent; it ends when it is dropped. Boxed, because thousands wait at once and most often
/// there is none.
#[derive(Debug, Default)]
pub(crate) struct SendSpan(Option<Box<Span>>);

impl SendSpan {
    /// Begins where the caller is: a child of its span, or where there is none, of what caused the message.
    pub(crate) fn begin<'a>(act: Act, subject: &str, event_id: impl Into<Option<&'a str>>, cause: &Cause<'_>) -> Self {
        if !is_wanted() {
            return Self::default();
        }
        let (operation, kind) = act.operation();
        let span = tracing::debug_span!(
            target: TARGET,
            "send",
            otel.name = display(format_args!("{operation} {subject}")),
            otel.kind = act.kind(),
            otel.status_code = Empty,
            "error.type" = Empty,
            messaging.system = "nats",
            messaging.operation.name = operation,
            "messaging.operation.type" = kind,
            messaging.destination.name = subject,
            messaging.message.id = event_id.into(),
            messaging.message.body.size = Empty,
        );
        let begun = Self::unless_disabled(span);
        if let Some(span) = begun.get() {
            otel::adopt(span, cause);
        }
        begun
    }

    /// The span of a message that carries its context already: a relay sends it, or it is sent again.
    pub(crate) fn relay(subject: &str, event_id: &str, headers: &Headers, size: usize) -> Self {
        if !is_wanted() {
            return Self::default();
        }
        let span = tracing::debug_span!(
            target: TARGET,
            parent: None,
            "relay",
            otel.name = display(format_args!("publish {subject}")),
            // Not `producer`: whoever handles the message is a child of whoever wrote it.
            otel.kind = "client",
            otel.status_code = Empty,
            "error.type" = Empty,
            messaging.system = "nats",
            messaging.operation.name = "publish",
            "messaging.operation.type" = "send",
            messaging.destination.name = subject,
            messaging.message.id = event_id,
            messaging.message.body.size = size as i64,
        );
        let begun = Self::unless_disabled(span);
        if let Some(span) = begun.get() {
            otel::set_parent(span, headers, false);
        }
        begun
    }

    fn unless_disabled(span: Span) -> Self {
        Self((!span.is_disabled()).then(|| Box::new(span)))
    }

    pub(super) fn get(&self) -> Option<&Span> {
        self.0.as_deref()
    }

    /// Links to the context that stands in headers.
    pub(crate) fn link(&self, headers: &Headers) {
        if let Some(span) = self.get() {
            otel::link(span, headers);
        }
    }

    /// Notes the size of the body, which is known when the message is written.
    pub(crate) fn sized(&self, bytes: usize) {
        if let Some(span) = self.get() {
            span.record("messaging.message.body.size", bytes as i64);
        }
    }

    /// Notes that the message was not, or not certainly, sent.
    pub(crate) fn failed(&self, error_type: &str) {
        if let Some(span) = self.get() {
            mark_failed(span, error_type);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Scope;

    fn begun() -> SendSpan {
        let scope = Scope::default();
        SendSpan::begin(Act::Publish, "a.b", "e-1", &Cause { scope: &scope, headers: None, baggage: false })
    }

    #[test]
    fn there_is_no_span_where_nobody_is_interested() {
        assert!(begun().get().is_none(), "without a subscriber");
        let info = tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_writer(std::io::sink).finish();
        tracing::subscriber::with_default(info, || assert!(begun().get().is_none(), "with logs at INFO"));
        let debug = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(std::io::sink).finish();
        tracing::subscriber::with_default(debug, || assert!(begun().get().is_some(), "with logs at DEBUG"));
    }

    #[test]
    fn a_message_that_waits_carries_one_pointer_for_its_span() {
        assert_eq!(size_of::<SendSpan>(), size_of::<usize>());
    }
}
