//! What is kept about deliveries that were no attempts, or whose attempt failed.
//!
//! The key-value bucket `{env}-{app}-releases` has one key for each delivery, so that two processes never write the same
//! one: `{durable}.{sequence}.{delivery}` of a delivery that was given back, `{durable}.{sequence}.failed.{delivery}` of
//! one whose handler failed and whose next attempt is the last. Written only then, read only when the delivery count
//! reaches `max_attempts`.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;

use super::in_hand::InHand;
use super::subscriber::Subscriber;
use crate::error::Result;
use crate::message::Headers;
use crate::transport::Outbound;

/// How long a record may take; the drain has a time limit.
const RECORD_TIMEOUT: Duration = Duration::from_secs(2);

fn key(subscriber: &Subscriber, hand: &InHand, delivery: &str) -> String {
    subscriber.shared.namespace.release_subject(hand.durable(), hand.sequence(), delivery)
}

/// Records that a delivery is given back; when that fails, it counts as an attempt.
pub(super) async fn record(subscriber: &Subscriber, hand: &InHand) {
    if !hand.set_recorded(true) {
        write(subscriber, key(subscriber, hand, &hand.received().deliveries.to_string())).await;
    }
}

/// Records the deliveries in hand that have not begun and could not stand the death of this process.
pub(super) async fn record_bystanders(subscriber: &Subscriber, hand: &InHand) {
    let all = subscriber.shared.keeper.all();
    let bystanders = all.iter().filter(|other| other.id() != hand.id() && other.is_on_its_last_attempt());
    join_all(bystanders.map(|other| record(subscriber, other))).await;
}

/// Notes that the handler begins; a record that says otherwise is taken back first.
pub(super) async fn begin(subscriber: &Subscriber, hand: &InHand) {
    hand.begin();
    if !hand.set_recorded(false) {
        return;
    }
    let key = key(subscriber, hand, &hand.received().deliveries.to_string());
    let stream = subscriber.shared.namespace.release_stream();
    if let Err(error) = subscriber.shared.transport.purge(&stream, &key).await {
        tracing::warn!(consumer = %subscriber.durable, %error, "a release could not be taken back; the attempt does not count");
    }
}

/// Records that the handler failed, when the next attempt is the last: it is then known that the process lived on.
pub(super) async fn note_failed(subscriber: &Subscriber, hand: &InHand) {
    let deliveries = hand.received().deliveries;
    if deliveries + 1 >= u64::from(subscriber.plan.settings.max_attempts) {
        write(subscriber, key(subscriber, hand, &format!("failed.{deliveries}"))).await;
    }
}

/// Whether the delivery before this one failed by itself, rather than with its process.
pub(super) async fn was_answered(subscriber: &Subscriber, hand: &InHand) -> bool {
    let before = hand.received().deliveries.saturating_sub(1);
    let key = key(subscriber, hand, &format!("failed.{before}"));
    let stream = subscriber.shared.namespace.release_stream();
    matches!(subscriber.shared.transport.count_subjects(&stream, &key).await, Ok(1..))
}

async fn write(subscriber: &Subscriber, subject: String) {
    if !subscriber.shared.transport.is_connected() {
        return;
    }
    let record = Outbound { subject, headers: Headers::default(), body: Bytes::new() };
    if let Err(fault) = subscriber.shared.transport.publish(record, RECORD_TIMEOUT).await {
        tracing::warn!(consumer = %subscriber.durable, ?fault, "the end of a delivery could not be recorded");
    }
}

/// The number of this attempt: deliveries without those that were given back.
pub(super) async fn attempt(subscriber: &Subscriber, hand: &InHand) -> Result<u64> {
    let deliveries = hand.received().deliveries;
    if deliveries == 1 || deliveries < u64::from(subscriber.plan.settings.max_attempts) {
        return Ok(deliveries);
    }
    let stream = subscriber.shared.namespace.release_stream();
    let released = subscriber.shared.transport.count_subjects(&stream, &key(subscriber, hand, "*")).await?;
    Ok(deliveries.saturating_sub(released).max(1))
}
