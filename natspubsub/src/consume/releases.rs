//! What is kept about deliveries beyond the life of a process.
//!
//! The key-value bucket `{env}-{app}-releases` has one key for each fact, so that two processes never write the same one:
//!
//! - `{consumer}.{sequence}.{delivery}`: the delivery was given back, and is no attempt.
//! - `{consumer}.{sequence}.failed.{delivery}`: its handler failed by itself, and the next attempt is the last.
//! - `{consumer}.{sequence}.begun.{delivery}`: its handler has begun, and the attempt is the last.
//! - `{consumer}.{stream}.…` in place of `{consumer}`, of a stream that is not the application's own.
//! - `at_work.{id}`: a process is at work. One that ends well takes it back; what is left says that one died.
//!
//! Of a message, all are written and read only when the delivery count reaches `max_attempts`, a release excepted.

use std::time::Duration;

use bytes::Bytes;

use super::in_hand::InHand;
use super::subscriber::{Shared, Subscriber};
use crate::clock::timeout;
use crate::error::Result;
use crate::message::Headers;
use crate::transport::{CONSUMING_LANE, Outbound};

/// How long a record may take; the drain has a time limit.
const RECORD_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a process says that it is at work; the bucket keeps a record for a week.
const RENEWAL: Duration = Duration::from_secs(60 * 60);

fn key(subscriber: &Subscriber, hand: &InHand, delivery: &str) -> String {
    subscriber.shared.namespace.release_subject(&subscriber.records, hand.sequence(), delivery)
}

/// Records that this process is at work, and under which id.
pub(super) async fn enter(shared: &Shared) {
    write(shared, shared.namespace.at_work_subject(&shared.id)).await;
}

/// Says again and again that this process is at work, before the record is too old to be kept.
pub(super) async fn stay(shared: &Shared) {
    loop {
        tokio::select! {
            biased;
            () = shared.stopping.cancelled() => return,
            () = shared.clock.sleep(RENEWAL) => enter(shared).await,
        }
    }
}

/// Takes back that this process is at work, because it ends well.
pub(super) async fn leave(shared: &Shared) {
    take_back(shared, &shared.namespace.at_work_subject(&shared.id)).await;
}

/// Records that a delivery is given back; when that fails, it counts as an attempt.
pub(super) async fn record(subscriber: &Subscriber, hand: &InHand) {
    let delivery = hand.received().deliveries;
    write(&subscriber.shared, key(subscriber, hand, &delivery.to_string())).await;
    if hand.is_marked() {
        take_back(&subscriber.shared, &key(subscriber, hand, &format!("begun.{delivery}"))).await;
    }
}

/// Marks a last attempt as begun, and waits until the server has the mark. Without it the attempt runs all the same,
/// and is not counted when its process dies of it.
pub(super) async fn mark_begun(subscriber: &Subscriber, hand: &InHand) {
    hand.mark();
    write(&subscriber.shared, key(subscriber, hand, &format!("begun.{}", hand.received().deliveries))).await;
}

/// Records that the handler failed, when the next attempt is the last: it is then known that the process lived on.
pub(super) async fn note_failed(subscriber: &Subscriber, hand: &InHand) {
    let deliveries = hand.received().deliveries;
    if deliveries + 1 >= u64::from(subscriber.plan.settings.max_attempts) {
        write(&subscriber.shared, key(subscriber, hand, &format!("failed.{deliveries}"))).await;
    }
}

/// Whether the delivery before this one failed by itself, rather than with its process.
pub(super) async fn was_answered(subscriber: &Subscriber, hand: &InHand) -> bool {
    let before = hand.received().deliveries.saturating_sub(1);
    matches!(count(subscriber, &key(subscriber, hand, &format!("failed.{before}"))).await, Ok(1..))
}

async fn write(shared: &Shared, subject: String) {
    if !shared.transport.is_connected() {
        return;
    }
    let record = Outbound { subject, headers: Headers::default(), body: Bytes::new() };
    if let Err(fault) = shared.transport.publish(CONSUMING_LANE, &record, RECORD_TIMEOUT).await {
        tracing::warn!(?fault, "what became of a delivery could not be recorded");
    }
}

async fn take_back(shared: &Shared, subject: &str) {
    let stream = shared.namespace.release_stream();
    let purge = shared.transport.purge(&stream, subject);
    match timeout(&*shared.clock, RECORD_TIMEOUT, purge).await {
        Some(Ok(_)) => {}
        Some(Err(error)) => tracing::warn!(%error, subject, "a record could not be taken back"),
        None => tracing::warn!(subject, "a record could not be taken back in time"),
    }
}

async fn count(subscriber: &Subscriber, pattern: &str) -> Result<u64> {
    let Shared { transport, namespace, .. } = &subscriber.shared;
    transport.count_subjects(&namespace.release_stream(), pattern).await
}

/// Whether the deliveries of a message are so many that releases are taken off, and a last attempt is marked.
pub(super) fn is_counted(subscriber: &Subscriber, hand: &InHand) -> bool {
    let deliveries = hand.received().deliveries;
    deliveries > 1 && deliveries >= u64::from(subscriber.plan.settings.max_attempts)
}

/// The number of this attempt: deliveries without those that were given back, and without those that died unbegun with
/// their process.
pub(super) async fn attempt(subscriber: &Subscriber, hand: &InHand) -> Result<u64> {
    let deliveries = hand.received().deliveries;
    if !is_counted(subscriber, hand) {
        return Ok(deliveries);
    }
    let released = count(subscriber, &key(subscriber, hand, "*")).await?;
    let attempt = deliveries.saturating_sub(released).max(1);
    let max_attempts = u64::from(subscriber.plan.settings.max_attempts);
    let may_be_a_bystander = attempt > max_attempts && max_attempts > 1;
    if may_be_a_bystander && died_unbegun(subscriber, hand).await? { Ok(max_attempts) } else { Ok(attempt) }
}

/// Whether the deliveries beyond the last attempt ended with their process before the handler began. Without a trace of
/// another process, whoever received them leaves no marks, and each of them counts.
async fn died_unbegun(subscriber: &Subscriber, hand: &InHand) -> Result<bool> {
    if count(subscriber, &key(subscriber, hand, "begun.*")).await? > 0 {
        return Ok(false);
    }
    let Shared { namespace, id, .. } = &subscriber.shared;
    let at_work = count(subscriber, &namespace.at_work_subject("*")).await?;
    Ok(at_work > count(subscriber, &namespace.at_work_subject(id)).await?)
}
