//! Messages that the server delivers no more, because they reached its limit: they become dead letters.
//!
//! The engine counts attempts and stops long before; at the limit arrives what kills every process that receives it.
//! The server then stops delivering it without a word to anybody but an advisory, which a stream keeps.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::answer::answer;
use super::dead_letter::{self, Failed, Letter, Original};
use super::in_hand::InHand;
use super::settle::DeadReason;
use super::subscriber::Subscriber;
use crate::message::EnvelopeParts;
use crate::message::headers::MESSAGE_ID;
use crate::metrics::{DeliveryMetrics, Ending};
use crate::topology::durable_of;
use crate::transport::{Answer, Received};

/// When an advisory is looked at again that could not be followed.
const AGAIN: Duration = Duration::from_secs(10);

/// What the server says (`io.nats.jetstream.advisory.v1.max_deliver`).
#[derive(Debug, Deserialize)]
struct Advisory {
    stream: String,
    consumer: String,
    stream_seq: u64,
    deliveries: u64,
    timestamp: Timestamp,
}

/// Follows one advisory: stores the dead letter, and only then acknowledges the advisory.
pub(super) async fn sweep(subscriber: &Subscriber, hand: &Arc<InHand>) {
    let done = match serde_json::from_slice::<Advisory>(&hand.received().body) {
        Ok(advisory) => follow(subscriber, &advisory).await,
        Err(error) => {
            tracing::error!(%error, sequence = hand.sequence(), "an advisory of the server cannot be read");
            true
        }
    };
    let (said, ending) = if done { (Answer::Ack, Ending::Processed) } else { (Answer::Nak(AGAIN), Ending::Retried) };
    answer(subscriber, hand, said, ending).await;
}

/// The durable of a consumer that belongs to the application: it is planned, or named like one of another version.
fn own_durable<'a>(subscriber: &'a Subscriber, consumer: &'a str) -> Option<&'a str> {
    let (shared, app) = (&subscriber.shared, subscriber.shared.namespace.app());
    let by_function = consumer.strip_prefix(app).is_some_and(|rest| rest.starts_with('-'));
    let by_subject = consumer.strip_suffix(app).is_some_and(|rest| rest.ends_with('_'));
    let planned = durable_of(consumer, shared.durables.iter().map(String::as_str));
    planned.or_else(|| (by_function || by_subject).then_some(consumer))
}

/// `false` when it has to be tried again.
async fn follow(subscriber: &Subscriber, advisory: &Advisory) -> bool {
    let shared = &subscriber.shared;
    let Advisory { stream, consumer, stream_seq: sequence, deliveries, timestamp } = advisory;
    let Some(durable) = own_durable(subscriber, consumer) else {
        tracing::warn!(
            stream,
            consumer,
            sequence,
            "a message reached the limit of deliveries of a consumer that is not of this application; it is left where it is"
        );
        return true;
    };
    let received = match shared.transport.stored(stream, *sequence).await {
        Ok(Some(received)) if received.stored_at <= *timestamp => Received { deliveries: *deliveries, ..received },
        // Gone, or its stream was made again and counts its messages anew.
        Ok(_) => {
            tracing::warn!(stream, consumer, sequence, "a message that reached the limit of deliveries is gone");
            return true;
        }
        Err(error) => {
            tracing::error!(stream, consumer, sequence, %error, "a message that reached the limit of deliveries cannot be read");
            return false;
        }
    };
    let envelope =
        EnvelopeParts::read(&received.body, &received.headers, subscriber.shared.inflate_max).unwrap_or_default();
    let event_id =
        envelope.event_id.map(|id| id.to_string()).or_else(|| received.headers.get(MESSAGE_ID).map(str::to_owned));
    let event_id = event_id.unwrap_or_else(|| format!("{stream}:{sequence}"));
    let original = Original {
        received: &received,
        stream,
        durable,
        topic: shared.namespace.topic(&received.subject),
        event_id: &event_id,
        trace_id: envelope.trace_id.as_deref(),
        envelope: true,
        retained: true,
    };
    let error = format!("delivered {deliveries} times without an answer: the process that handles it keeps dying");
    let now = shared.clock.now();
    let failed = Failed { reason: DeadReason::Crash, error: &error, first_failed_at: now, failed_at: now };
    match dead_letter::store(shared, Letter::of(shared, &original, &failed)).await {
        Ok(stored) => {
            tracing::error!(
                stream,
                consumer,
                sequence,
                letter = stored.sequence,
                "a message reached the limit of deliveries; its dead letter is stored"
            );
            shared.stats.dead_lettered();
            let place = shared.durables.iter().position(|known| known == durable);
            let subject = place.map_or("other", |place| &shared.subjects[place]);
            DeliveryMetrics::note_dead_letter_of(subject, DeadReason::NAMES[DeadReason::Crash as usize]);
            true
        }
        Err(fault) => {
            tracing::error!(stream, consumer, sequence, fault, "the dead letter could not be stored");
            shared.stats.unstored();
            false
        }
    }
}
