//! From received bytes to a delivery: envelope, ids, context.

use crate::handler::{Delivery, Failure, FailureClass};
use crate::message::{Context, EnvelopeIn, Origin, headers};

use super::in_hand::InHand;
use super::subscriber::Subscriber;

/// The context of a delivery, and the delivery itself if its envelope can be read.
pub(super) fn read(subscriber: &Subscriber, hand: &InHand) -> (Context, Result<Delivery, Failure>) {
    let received = hand.received();
    let read = EnvelopeIn::read(&received.body);
    let (envelope, fault) = match read {
        Ok(envelope) => (envelope, None),
        Err(fault) => (EnvelopeIn::default(), Some(fault)),
    };
    let event_id = envelope.event_id.unwrap_or_else(|| fallback_id(subscriber, hand));
    let topic = subscriber.shared.namespace.topic(&received.subject);
    let context = Context::new(Origin {
        subscriber: subscriber.name.clone(),
        durable: subscriber.durable.clone(),
        event_id,
        topic_at: received.subject.len() - topic.len(),
        subject: received.subject.clone(),
        stream: subscriber.stream.clone(),
        sequence: received.sequence,
        deliveries: received.deliveries,
        max_attempts: subscriber.plan.settings.max_attempts,
        ack_wait: subscriber.plan.settings.ack_wait,
        stored_at: received.stored_at,
        occurred_at: envelope.occurred_at,
        trace_id: envelope.trace_id,
        headers: received.headers.clone(),
        metadata: envelope.metadata,
    });
    let delivery = match fault {
        None => Ok(Delivery::new(context.clone(), envelope.body, subscriber.shared.services.clone())),
        Some(fault) => Err(Failure::new(FailureClass::Undecodable, fault)),
    };
    (context, delivery)
}

/// The message id of the header, in any case of its name, else the place of the message.
fn fallback_id(subscriber: &Subscriber, hand: &InHand) -> String {
    let received = hand.received();
    match received.headers.get(headers::MESSAGE_ID) {
        Some(id) if !id.is_empty() => id.to_owned(),
        _ => format!("{}:{}", subscriber.stream, received.sequence),
    }
}
