//! From a received message to a delivery: envelope, id, context.

use std::time::Duration;

use super::listener::Listener;
use crate::clock::event_id;
use crate::handler::{Delivery, Failure, FailureClass};
use crate::message::{Context, EnvelopeIn, Origin, check_event_id, headers};
use crate::transport::Outbound;

/// The delivery of a message, or why its bytes cannot be read.
pub(super) fn read(listener: &Listener, message: Outbound) -> Result<Delivery, Failure> {
    let Outbound { subject, headers, body } = message;
    let ground = &listener.ground;
    let envelope = match listener.plan.envelope {
        true => EnvelopeIn::read(&body, &headers, ground.inflate_max),
        false => EnvelopeIn::read_plain(&body, &headers, ground.inflate_max),
    };
    let envelope = envelope.map_err(|fault| Failure::new(FailureClass::Undecodable, fault))?;
    let now = ground.clock.now();
    let header = || headers.get(headers::MESSAGE_ID).filter(|id| check_event_id(id).is_ok()).map(str::to_owned);
    // Nobody stored it, so that it has no number; without an id of its own it gets one for this once.
    let event_id = envelope.event_id.or_else(header).unwrap_or_else(|| event_id(&*ground.clock, now));
    let context = Context::new(Origin {
        subscriber: listener.name.clone(),
        durable: listener.group.clone(),
        event_id,
        topic_at: 0,
        subject,
        stream: "".into(),
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
    Ok(Delivery::new(context, envelope.body, ground.services.clone()))
}
