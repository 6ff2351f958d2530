//! The spans of a message that is received, processed and settled. Each is a child of the span that sent the message.
//!
//! Where nobody listens there is none: a disabled span of `tracing` still costs something, and an empty one nothing.

use tracing::Span;
use tracing::field::Empty;

use super::destination::Templates;
use super::{TARGET, is_wanted, mark_failed, otel};
use crate::message::Headers;

/// What is known about a message that is handled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Handling<'a> {
    pub(crate) subject: &'a str,
    pub(crate) templates: &'a Templates,
    /// The durable, or the queue group of core NATS; without one every instance receives the message.
    pub(crate) group: Option<&'a str>,
    pub(crate) event_id: &'a str,
    pub(crate) headers: &'a Headers,
    pub(crate) size: usize,
    /// How often the server has delivered it, from 1.
    pub(crate) deliveries: u64,
    /// The number of this attempt, from 1.
    pub(crate) attempt: u64,
    /// Whether the message's baggage is taken over.
    pub(crate) baggage: bool,
}

impl<'a> Handling<'a> {
    fn template(&self) -> Option<&'a str> {
        self.templates.of_subject(self.subject)
    }

    fn destination(&self) -> &'a str {
        self.template().unwrap_or(self.subject)
    }
}

/// The span in which a message is read; its id is not known before.
pub(crate) fn receive_span(message: &Handling<'_>) -> Span {
    if !is_wanted() {
        return Span::none();
    }
    let span = tracing::debug_span!(
        target: TARGET,
        parent: None,
        "receive",
        otel.name = display(format_args!("receive {}", message.destination())),
        otel.kind = "client",
        otel.status_code = Empty,
        "error.type" = Empty,
        messaging.system = "nats",
        messaging.operation.name = "receive",
        "messaging.operation.type" = "receive",
        messaging.destination.name = message.subject,
        messaging.destination.template = message.template(),
        messaging.consumer.group.name = message.group,
        messaging.message.id = Empty,
        messaging.message.body.size = message.size as i64,
        messaging.nats.message.delivery_count = message.deliveries as i64,
    );
    adopted(span, message)
}

/// The span of one attempt to handle a message, middleware included.
pub(crate) fn process_span(message: &Handling<'_>) -> Span {
    if !is_wanted() {
        return Span::none();
    }
    let span = tracing::debug_span!(
        target: TARGET,
        parent: None,
        "process",
        otel.name = display(format_args!("process {}", message.destination())),
        otel.kind = "consumer",
        otel.status_code = Empty,
        "error.type" = Empty,
        messaging.system = "nats",
        messaging.operation.name = "process",
        "messaging.operation.type" = "process",
        messaging.destination.name = message.subject,
        messaging.destination.template = message.template(),
        messaging.consumer.group.name = message.group,
        messaging.message.id = message.event_id,
        messaging.message.body.size = message.size as i64,
        messaging.nats.message.delivery_count = message.deliveries as i64,
        messaging.nats.message.attempt = message.attempt as i64,
    );
    adopted(span, message)
}

/// The span in which a message is settled. `operation` is what the server is told: `ack`, `nak` or `term`; `dead_reason`
/// is why it becomes a dead letter before that.
pub(crate) fn settle_span(message: &Handling<'_>, operation: &'static str, dead_reason: Option<&'static str>) -> Span {
    if !is_wanted() {
        return Span::none();
    }
    let span = tracing::debug_span!(
        target: TARGET,
        parent: None,
        "settle",
        otel.name = display(format_args!("{operation} {}", message.destination())),
        otel.kind = "client",
        otel.status_code = Empty,
        "error.type" = Empty,
        messaging.system = "nats",
        messaging.operation.name = operation,
        "messaging.operation.type" = "settle",
        messaging.destination.name = message.subject,
        messaging.destination.template = message.template(),
        messaging.consumer.group.name = message.group,
        messaging.message.id = message.event_id,
        messaging.nats.message.delivery_count = message.deliveries as i64,
        messaging.nats.dead_letter.reason = dead_reason,
    );
    adopted(span, message)
}

/// The span of one call with many messages. It has no parent, and links to the context of each.
pub(crate) fn batch_span<'a>(
    templates: &Templates,
    group: &str,
    messages: impl Iterator<Item = (&'a str, &'a Headers)> + Clone,
) -> Span {
    // Computed within the macro: only when somebody is interested.
    let one_subject = || {
        let (first, _) = messages.clone().next()?;
        messages.clone().all(|(subject, _)| subject == first).then_some(first)
    };
    let template = || {
        let (first, _) = messages.clone().next()?;
        templates.of_subject(first)
    };
    let name = || template().or_else(one_subject).unwrap_or(group);
    let span = tracing::debug_span!(
        target: TARGET,
        parent: None,
        "process",
        otel.name = display(format_args!("process {}", name())),
        otel.kind = "consumer",
        otel.status_code = Empty,
        "error.type" = Empty,
        messaging.system = "nats",
        messaging.operation.name = "process",
        "messaging.operation.type" = "process",
        messaging.destination.name = one_subject(),
        messaging.destination.template = template(),
        messaging.consumer.group.name = group,
        messaging.batch.message_count = messages.clone().count() as i64,
    );
    if !span.is_disabled() {
        messages.for_each(|(_, headers)| otel::link(&span, headers));
    }
    span
}

fn adopted(span: Span, message: &Handling<'_>) -> Span {
    if !span.is_disabled() {
        otel::set_parent(&span, message.headers, message.baggage);
    }
    span
}

/// Ends the span in which a message was read.
pub(crate) fn received(span: &Span, event_id: &str, error_type: Option<&str>) {
    span.record("messaging.message.id", event_id);
    failed(span, error_type);
}

/// Notes the kind of failure that an operation ended with, if it failed.
pub(crate) fn failed(span: &Span, error_type: Option<&str>) {
    if let Some(error_type) = error_type {
        mark_failed(span, error_type);
    }
}
