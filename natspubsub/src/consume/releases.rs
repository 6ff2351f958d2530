//! Deliveries that were given back at a shutdown: they are no attempts.
//!
//! They are recorded in the key-value bucket `{env}-{app}-releases`, one key for each delivery, so that two processes
//! never write the same one. Written only when something is given back, read only when the delivery count reaches
//! `max_attempts`.

use std::time::Duration;

use bytes::Bytes;

use super::in_hand::InHand;
use super::subscriber::Subscriber;
use crate::error::Result;
use crate::message::Headers;
use crate::transport::Outbound;

/// How long a record may take; the drain has a time limit.
const RECORD_TIMEOUT: Duration = Duration::from_secs(2);

/// Records that a delivery is given back; `false` when it was not, and so counts as an attempt.
pub(super) async fn record(subscriber: &Subscriber, hand: &InHand) -> bool {
    let delivery = hand.received().deliveries.to_string();
    let subject = subscriber.shared.namespace.release_subject(&subscriber.durable, hand.sequence(), &delivery);
    let record = Outbound { subject, headers: Headers::default(), body: Bytes::new() };
    match subscriber.shared.transport.publish(record, RECORD_TIMEOUT).await {
        Ok(_) => true,
        Err(fault) => {
            tracing::warn!(consumer = %subscriber.durable, ?fault, "a release could not be recorded; it counts as an attempt");
            false
        }
    }
}

/// The number of this attempt: deliveries without those that were given back.
pub(super) async fn attempt(subscriber: &Subscriber, hand: &InHand) -> Result<u64> {
    let deliveries = hand.received().deliveries;
    if deliveries < u64::from(subscriber.plan.settings.max_attempts) {
        return Ok(deliveries);
    }
    let namespace = &subscriber.shared.namespace;
    let keys = namespace.release_subject(&subscriber.durable, hand.sequence(), "*");
    let released = subscriber.shared.transport.count_subjects(&namespace.release_stream(), &keys).await?;
    Ok(deliveries.saturating_sub(released).max(1))
}
