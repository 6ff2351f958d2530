//! From a received message to a delivery: envelope, id, context.

use std::time::Duration;

use super::listener::Listener;
use crate::clock::NewId;
use crate::handler::{Delivery, Failure, FailureClass};
use crate::message::{Context, EnvelopeIn, EventId, Origin, check_event_id, headers};
use crate::transport::Outbound;

/// The delivery of a message, or why its bytes cannot be read. It waits no more.
pub(super) fn read(listener: &Listener, message: Outbound) -> Result<Delivery, (Context, Failure)> {
    let ground = &listener.ground;
    listener.backlog.leave(message.size());
    let Outbound { subject, headers, body } = message;
    let envelope = match listener.plan.envelope {
        true => EnvelopeIn::read(&body, &headers, ground.inflate_max),
        false => EnvelopeIn::read_plain(&body, &headers, ground.inflate_max),
    };
    let (envelope, fault) = match envelope {
        Ok(envelope) => (envelope, None),
        Err(fault) => (EnvelopeIn::default(), Some(Failure::new(FailureClass::Undecodable, fault))),
    };
    let now = ground.clock.now();
    let header = || headers.get(headers::MESSAGE_ID).filter(|id| check_event_id(id).is_ok()).map(str::to_owned);
    // Nobody stored it, so that it has no number; without an id of its own it gets one for this once.
    let event_id = match envelope.event_id.or_else(header) {
        Some(id) => EventId::from(id),
        None => EventId::new(NewId::draw(&*ground.clock, now)),
    };
    let context = Context::new(Origin {
        subscriber: listener.name.clone(),
        durable: listener.group.clone(),
        event_id,
        topic_at: 0,
        subject,
        stream: listener.no_stream.clone(),
        sequence: 0,
        deliveries: 1,
        max_attempts: 1,
        ack_wait: Duration::ZERO,
        stored_at: now,
        occurred_at: envelope.occurred_at,
        trace_id: envelope.trace_id,
        headers,
        metadata: envelope.metadata,
    });
    match fault {
        None => Ok(Delivery::new(context, envelope.body, ground.services.clone())),
        Some(fault) => Err((context, fault)),
    }
}
