//! One delivery from first to last: guard, decode, call, decide, settle.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tracing::{Instrument, Span};

use super::answer::{answer_too_early, settle, settled_at_once};
use super::attempt::{Attempted, attempted, unless_stopping};
use super::in_hand::InHand;
use super::incoming;
use super::releases;
use super::settle::{DeadReason, Facts, Settlement, crashed, decide};
use super::subscriber::Subscriber;
use super::sweep::sweep;
use crate::failpoints::{Point, Sabotage, reached, sabotaged};
use crate::handler::{Chain, Delivery, Failure, Outcome, panicked};
use crate::metrics::RunOutcome;
use crate::trace::{receive_span, received, settle_span};
use crate::transport::Answer;

/// The pause before the attempts of a message are counted again.
const UNCOUNTED_PAUSE: Duration = Duration::from_secs(1);

/// Whether a run came to an end of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Settled,
    /// It was given back before it could run, because the application ends.
    Released,
}

/// Handles one delivery and settles it.
pub(super) async fn run(subscriber: &Subscriber, hand: &Arc<InHand>) -> Ended {
    reached(Point::AfterDeliver).await;
    if sabotaged(Sabotage::AckBeforeHandler) {
        answer_too_early(subscriber, hand, Answer::Ack).await;
    }
    let Some(chain) = subscriber.chain() else {
        sweep(subscriber, hand).await;
        return Ended::Settled;
    };
    let reading = receive_span(&subscriber.traced(hand, None));
    let (context, delivery) = incoming::read(subscriber, hand);
    received(&reading, context.event_id(), delivery.as_ref().err().and_then(|failure| failure.class().error_type()));
    drop(reading);
    // Code of the user also runs outside the handler: in `Drop` after a timeout, in the text of an error.
    let caught = AssertUnwindSafe(settlement(subscriber, chain, hand, delivery)).catch_unwind().await;
    let settlement = caught
        .unwrap_or_else(|panic| decided(subscriber, hand.received().deliveries, &Outcome::Failed(panicked(panic))));
    let ended = if settlement == Settlement::Release { Ended::Released } else { Ended::Settled };
    let span = settlement.operation().map_or_else(Span::none, |operation| {
        settle_span(&subscriber.traced(hand, Some(&context)), operation, settlement.dead_reason())
    });
    if !span.in_scope(|| settled_at_once(subscriber, hand, &settlement)) {
        // In a box: what most messages need not would make each run larger.
        Box::pin(settle(subscriber, hand, &context, settlement)).instrument(span).await;
    }
    ended
}

async fn settlement(
    subscriber: &Subscriber,
    chain: &Arc<Chain>,
    hand: &Arc<InHand>,
    delivery: Result<Delivery, Failure>,
) -> Settlement {
    if let Some(unstored) = subscriber.memory.unstored(hand) {
        return Settlement::Dead { reason: unstored.reason, error: unstored.error };
    }
    if let Some(fault) = &hand.received().fault {
        subscriber.metrics.failed(RunOutcome::Undecodable);
        return Settlement::Dead { reason: DeadReason::Undecodable, error: fault.clone() };
    }
    if incoming::is_for_another(subscriber, hand) {
        return Settlement::Discarded { reason: "a replayed dead letter of another subscriber".to_owned() };
    }
    let Some(mut attempt) = counted(subscriber, hand).await else { return Settlement::Release };
    if let Some(crash) = crashed(attempt, subscriber.plan.settings.max_attempts) {
        return crash;
    }
    let mut delivery = delivery;
    loop {
        let delivered = match delivery {
            Ok(delivered) => delivered.at_attempt(attempt),
            Err(failure) => {
                subscriber.metrics.failed(RunOutcome::Undecodable);
                return decided(subscriber, attempt, &Outcome::Failed(failure));
            }
        };
        let outcome = match attempted(subscriber, chain, hand, delivered).await {
            Attempted::Ran(outcome) => outcome,
            Attempted::Stopping => return Settlement::Release,
            Attempted::Expired => return Settlement::Expired,
        };
        match decided(subscriber, attempt, &outcome) {
            // Held in hand, kept alive by the keeper: what is down costs no attempt, and the breaker says when it is
            // tried again.
            Settlement::Hold { .. } => {}
            // Held too: another process is at it, and this one may have to go on.
            Settlement::Wait { delay } => {
                if parked(subscriber, delay).await.is_none() {
                    return Settlement::Release;
                }
            }
            // The lane stays taken: given back, the message would return behind those that follow it.
            Settlement::Retry { delay, error } if subscriber.plan.settings.ordered_by.is_some() => {
                subscriber.memory.note_failure(hand, subscriber.shared.clock.now());
                tracing::warn!(consumer = %subscriber.durable, attempt, ?delay, error, "retry; its key is parked");
                if parked(subscriber, delay).await.is_none() {
                    return Settlement::Release;
                }
                subscriber.stats.retried();
                subscriber.metrics.retried();
                attempt += 1;
            }
            settlement => return settlement,
        }
        // Read anew: most messages run once, and a copy of each would cost more.
        delivery = incoming::read(subscriber, hand).1;
    }
}

/// Waits without taking the place of a running handler; `None` when the drain began before.
async fn parked(subscriber: &Subscriber, delay: Duration) -> Option<()> {
    let _parked = subscriber.parking.enter();
    unless_stopping(subscriber, subscriber.shared.clock.sleep(delay)).await
}

/// The number of this attempt. Until it can be counted the message is held: it could become a dead letter too early,
/// or, given back, be overtaken by its key. `None` when the drain began before.
async fn counted(subscriber: &Subscriber, hand: &InHand) -> Option<u64> {
    loop {
        match releases::attempt(subscriber, hand).await {
            Ok(attempt) => return Some(attempt),
            Err(error) => {
                tracing::warn!(consumer = %subscriber.durable, sequence = hand.sequence(), %error, "the attempts cannot be counted; the message is held");
                unless_stopping(subscriber, subscriber.shared.clock.sleep(UNCOUNTED_PAUSE)).await?;
            }
        }
    }
}

fn decided(subscriber: &Subscriber, attempt: u64, outcome: &Outcome) -> Settlement {
    let settings = &subscriber.plan.settings;
    // Nothing is thrown for what succeeded.
    let random = if matches!(outcome, Outcome::Ack) { 0 } else { subscriber.shared.clock.random() };
    decide(&Facts { attempt, max_attempts: settings.max_attempts, retry: &settings.retry, random }, outcome)
}
