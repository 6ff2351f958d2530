//! One attempt: its turn, and the call of middleware and handler.

use std::sync::Arc;

use tracing::{Instrument, Span};

use super::in_hand::InHand;
use super::inbox;
use super::quarantine::{Admitted, admit};
use super::releases;
use super::subscriber::Subscriber;
use crate::failpoints::{Point, reached};
use crate::handler::{Chain, Delivery, Outcome};
use crate::metrics::RunOutcome;
use crate::middleware::Verdict;
use crate::topology::Inbox;
use crate::trace::{failed, process_span};

/// How an attempt ended.
pub(super) enum Attempted {
    Ran(Outcome),
    /// The drain began before its turn.
    Stopping,
    /// The server had delivered it again before its turn.
    Expired,
}

/// Waits for the turn of a message, and runs its handler.
pub(super) async fn attempted(
    subscriber: &Subscriber,
    chain: &Arc<Chain>,
    hand: &InHand,
    delivery: Delivery,
) -> Attempted {
    let clock = &*subscriber.shared.clock;
    if let Some(pace) = &subscriber.pace
        && unless_stopping(subscriber, pace.turn(clock)).await.is_none()
    {
        return Attempted::Stopping;
    }
    let permit = match subscriber.breaker.admit_at_once() {
        Some(permit) => permit,
        None => match unless_stopping(subscriber, subscriber.breaker.admit(clock)).await {
            Some(permit) => permit,
            None => return Attempted::Stopping,
        },
    };
    let attempt = delivery.context().attempt();
    let Some(admitted) = admit(subscriber, hand, attempt).await else { return Attempted::Stopping };
    let mut began = clock.monotonic();
    // With a key it runs all the same: its redelivery would be overtaken by those behind it.
    if subscriber.plan.settings.ordered_by.is_none() && hand.is_expired(began) {
        return Attempted::Expired;
    }
    if !matches!(admitted, Admitted::Freely) {
        releases::mark_begun(subscriber, hand).await;
        began = clock.monotonic();
    }
    hand.begin(began);
    let running = subscriber.metrics.running();
    let outcome = match subscriber.plan.settings.inbox {
        Some(Inbox::Lease) => {
            let context = delivery.context().clone();
            // In a box: every run would be as large.
            Box::pin(inbox::claimed(subscriber, &context, call(subscriber, chain, hand, delivery))).await
        }
        Some(Inbox::Transaction) | None => call(subscriber, chain, hand, delivery).await,
    };
    drop(running);
    if subscriber.metrics.is_recorded() {
        subscriber.metrics.ran(RunOutcome::from(&outcome), clock.monotonic().saturating_sub(began));
    }
    reached(Point::AfterHandlerBeforeAck).await;
    if permit.ended(Verdict::of(&outcome), || clock.monotonic()) {
        let reason = format!("{outcome:?}");
        tracing::warn!(consumer = %subscriber.durable, reason, "the circuit is open: pulling stops, what is in hand is held");
    }
    drop(admitted);
    Attempted::Ran(outcome)
}

/// What only waits ends when the drain begins: it could outlast it, and another process can begin at once.
pub(super) async fn unless_stopping<T>(subscriber: &Subscriber, wait: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        ended = wait => Some(ended),
        () = subscriber.shared.stopping.cancelled() => None,
    }
}

/// Calls middleware and handler under the time limit; a panic is an outcome.
async fn call(subscriber: &Subscriber, chain: &Arc<Chain>, hand: &InHand, delivery: Delivery) -> Outcome {
    let span = match subscriber.plan.settings.batch {
        // One call for many messages has one span, which links to all of them.
        Some(_) => Span::none(),
        None => process_span(&subscriber.traced(hand, Some(delivery.context()))),
    };
    let limit = subscriber.plan.settings.timeout.filter(|_| subscriber.plan.settings.batch.is_none());
    let ran = chain.run(&*subscriber.shared.clock, limit, delivery, None).instrument(span.clone());
    let outcome = ran.await;
    failed(&span, outcome.error_type());
    outcome
}
