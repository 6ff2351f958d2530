//! One attempt: its turn, and the call of middleware and handler.

use std::time::Duration;

use tracing::{Instrument, Span};

use super::breaker::Verdict;
use super::in_hand::InHand;
use super::inbox;
use super::quarantine::{Admitted, admit};
use super::releases;
use super::subscriber::Subscriber;
use crate::failpoints::{Point, reached};
use crate::handler::{Delivery, FailureClass, Next, Outcome, Target, guard};
use crate::topology::Inbox;
use crate::trace::{failed, process_span};

/// A held message is run again no sooner than this, whatever pause an error asks for.
const HOLD_MIN: Duration = Duration::from_millis(10);

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
    target: Target<'_>,
    hand: &InHand,
    delivery: Delivery,
) -> Attempted {
    let clock = &*subscriber.shared.clock;
    if let Some(pace) = &subscriber.pace
        && unless_stopping(subscriber, pace.turn(clock)).await.is_none()
    {
        return Attempted::Stopping;
    }
    let Some(permit) = unless_stopping(subscriber, subscriber.breaker.admit(clock)).await else {
        return Attempted::Stopping;
    };
    let attempt = delivery.context().attempt();
    let Some(admitted) = admit(subscriber, hand, attempt).await else { return Attempted::Stopping };
    // With a key it runs all the same: its redelivery would be overtaken by those behind it.
    if subscriber.plan.settings.ordered_by.is_none() && hand.is_expired(clock.monotonic()) {
        return Attempted::Expired;
    }
    if !matches!(admitted, Admitted::Freely) {
        releases::mark_begun(subscriber, hand).await;
    }
    let outcome = match subscriber.plan.settings.inbox {
        Some(Inbox::Lease) => {
            let context = delivery.context().clone();
            inbox::claimed(subscriber, &context, call(subscriber, target, hand, delivery)).await
        }
        Some(Inbox::Transaction) | None => call(subscriber, target, hand, delivery).await,
    };
    reached(Point::AfterHandlerBeforeAck).await;
    if permit.ended(verdict(&outcome), clock.monotonic()) {
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

/// What the breaker makes of an outcome: a message that is at fault itself says that everything else works.
fn verdict(outcome: &Outcome) -> Verdict {
    let Outcome::Failed(failure) = outcome else { return Verdict::Success };
    match failure.class() {
        FailureClass::Infrastructure { pause } => Verdict::Down { pause: pause.max(HOLD_MIN) },
        FailureClass::Transient { .. }
        | FailureClass::TransientCurve { .. }
        | FailureClass::Timeout
        | FailureClass::Panic => Verdict::Failure,
        FailureClass::Permanent
        | FailureClass::Validation
        | FailureClass::Undecodable
        | FailureClass::Busy { .. }
        | FailureClass::Discard => Verdict::Success,
    }
}

/// Calls middleware and handler under the time limit; a panic is an outcome.
async fn call(subscriber: &Subscriber, target: Target<'_>, hand: &InHand, delivery: Delivery) -> Outcome {
    let span = match target {
        // One call for many messages has one span, which links to all of them.
        Target::Batch(_) => Span::none(),
        Target::Each(_) | Target::Reply(..) => process_span(&subscriber.traced(hand, Some(delivery.context()))),
    };
    let chain = async { Next::new(&subscriber.shared.layers, target).run(delivery).await };
    let limit = subscriber.plan.settings.timeout.filter(|_| subscriber.plan.settings.batch.is_none());
    let ran = guard(&*subscriber.shared.clock, limit, chain).instrument(span.clone()).await;
    let outcome = ran.unwrap_or_else(Outcome::Failed);
    failed(&span, outcome.error_type());
    outcome
}
