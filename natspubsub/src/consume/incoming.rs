//! From received bytes to a delivery: envelope, ids, context.

use std::sync::{Arc, OnceLock};

use crate::handler::{Delivery, Failure, FailureClass};
use crate::message::{Context, DecodeFault, EnvelopeParts, Facts, Moment, check_event_id, headers};
use crate::registry::Source;

use super::in_hand::InHand;
use super::lanes::{self, Key};
use super::subscriber::Subscriber;

/// The context of a delivery, and the delivery itself if its envelope can be read.
pub(super) fn read(subscriber: &Subscriber, hand: &Arc<InHand>) -> (Context, Result<Delivery, Failure>) {
    let received = hand.received();
    let is_letter = subscriber.plan.source == Source::DeadLetter;
    let (mut envelope, fault) = match envelope(subscriber, hand) {
        Ok(envelope) => (envelope, None),
        Err(fault) => (EnvelopeParts::default(), Some(fault)),
    };
    // A dead letter is handed over whole; its bytes may be the very reason why it is one.
    let fault = fault.filter(|_| !is_letter);
    let body = if is_letter { received.body.clone().into() } else { std::mem::take(&mut envelope.body) };
    hand.note_facts(|| facts(subscriber, hand, is_letter, envelope));
    let context = Context::of(hand.clone());
    let delivery = match fault {
        None => Ok(Delivery::new(context.clone(), body, subscriber.shared.services.clone())),
        Some(fault) => Err(Failure::new(FailureClass::Undecodable, fault)),
    };
    (context, delivery)
}

fn facts(subscriber: &Subscriber, hand: &InHand, is_letter: bool, envelope: EnvelopeParts) -> Facts {
    let received = hand.received();
    let topic = match is_letter {
        true => subscriber.shared.namespace.dead_letter_topic(&received.subject),
        false => received.subject.strip_prefix(&subscriber.plan.prefix).unwrap_or(&received.subject),
    };
    Facts {
        recipient: subscriber.recipient.clone(),
        event_id: OnceLock::from(envelope.event_id.unwrap_or_else(|| fallback_id(subscriber, hand).into())),
        topic_at: received.subject.len() - topic.len(),
        sequence: received.sequence,
        deliveries: received.deliveries,
        stored_at: received.stored_at,
        occurred_at: envelope.occurred_at.map_or(Moment::At(None), Moment::Written),
        trace_id: envelope.trace_id,
        metadata: envelope.metadata,
    }
}

/// The message as it was declared: in an envelope, or all of it the payload.
fn envelope(subscriber: &Subscriber, hand: &InHand) -> Result<EnvelopeParts, DecodeFault> {
    let (received, inflate_max) = (hand.received(), subscriber.shared.inflate_max);
    match subscriber.plan.settings.envelope {
        true => EnvelopeParts::read(&received.body, &received.headers, inflate_max),
        false => EnvelopeParts::read_plain(&received.body, &received.headers, inflate_max),
    }
}

/// Whether a replayed dead letter is meant for another subscriber.
pub(super) fn is_for_another(subscriber: &Subscriber, hand: &InHand) -> bool {
    let wanted = hand.received().headers.get(headers::replay::CONSUMER);
    wanted.is_some_and(|durable| subscriber.plan.source != Source::DeadLetter && durable != &*subscriber.durable)
}

/// The key of a delivery, with `ordered_by`.
pub(super) fn key(subscriber: &Subscriber, hand: &InHand) -> Option<Key> {
    let field = subscriber.plan.settings.ordered_by?;
    lanes::key(field, envelope(subscriber, hand).ok()?.body.bytes())
}

/// The message id of the header, in any case of its name, else the place of the message.
fn fallback_id(subscriber: &Subscriber, hand: &InHand) -> String {
    let received = hand.received();
    let header = match subscriber.plan.source {
        Source::DeadLetter => headers::dead_letter::EVENT_ID,
        _ => headers::MESSAGE_ID,
    };
    match received.headers.get(headers::replay::EVENT_ID).or_else(|| received.headers.get(header)) {
        // It becomes a key, a header and a field of the log; what cannot be one is another program's business.
        Some(id) if check_event_id(id).is_ok() => id.to_owned(),
        _ => format!("{}:{}", subscriber.stream, received.sequence),
    }
}
