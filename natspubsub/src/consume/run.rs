//! One delivery from first to last: guard, decode, call, decide, settle.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;

use super::in_hand::InHand;
use super::incoming;
use super::settle::{Facts, Settlement, crashed, decide, settle};
use super::subscriber::Subscriber;
use crate::clock::timeout;
use crate::handler::{Delivery, Failure, FailureClass, Next, Outcome};

/// A held message is run again no sooner than this, whatever pause an error asks for.
const HOLD_MIN: Duration = Duration::from_millis(10);

/// Handles one delivery and settles it.
pub(super) async fn run(subscriber: Arc<Subscriber>, hand: Arc<InHand>) {
    let (context, delivery) = incoming::read(&subscriber, &hand);
    // Code of the user also runs outside the handler: in `Drop` after a timeout, in the text of an error.
    let caught = AssertUnwindSafe(settlement(&subscriber, &hand, delivery)).catch_unwind().await;
    let settlement = caught.unwrap_or_else(|panic| decide(&facts(&subscriber, &hand), &panicked(panic)));
    settle(&subscriber, &hand, &context, settlement).await;
}

async fn settlement(subscriber: &Subscriber, hand: &InHand, delivery: Result<Delivery, Failure>) -> Settlement {
    if let Some(unstored) = subscriber.memory.unstored(hand) {
        return Settlement::Dead { reason: unstored.reason, error: unstored.error };
    }
    let facts = facts(subscriber, hand);
    if let Some(crash) = crashed(&facts) {
        return crash;
    }
    let delivery = match delivery {
        Ok(delivery) => delivery,
        Err(failure) => return decide(&facts, &Outcome::Failed(failure)),
    };
    loop {
        let outcome = call(subscriber, delivery.clone()).await;
        match decide(&facts, &outcome) {
            // Held in hand, kept alive by the keeper: what is down costs no attempt.
            Settlement::Hold { pause, error } => {
                tracing::warn!(consumer = %subscriber.durable, ?pause, error, "held until what it needs is back");
                subscriber.shared.clock.sleep(pause.max(HOLD_MIN)).await;
            }
            settlement => return settlement,
        }
    }
}

fn facts<'a>(subscriber: &'a Subscriber, hand: &InHand) -> Facts<'a> {
    let settings = &subscriber.plan.settings;
    Facts {
        attempt: hand.received().deliveries,
        max_attempts: settings.max_attempts,
        retry: &settings.retry,
        random: subscriber.shared.clock.random(),
    }
}

/// Calls middleware and handler under the time limit; a panic is an outcome.
async fn call(subscriber: &Subscriber, delivery: Delivery) -> Outcome {
    let chain =
        AssertUnwindSafe(async { Next::new(&subscriber.shared.layers, subscriber.plan.call).run(delivery).await });
    let caught = chain.catch_unwind();
    let ended = match subscriber.plan.settings.timeout {
        Some(limit) => timeout(&*subscriber.shared.clock, limit, caught).await,
        None => Some(caught.await),
    };
    match ended {
        Some(Ok(outcome)) => outcome,
        Some(Err(panic)) => panicked(panic),
        None => {
            let limit = subscriber.plan.settings.timeout.unwrap_or_default();
            let limit = natspubsub_grammar::format_duration(limit);
            Outcome::Failed(Failure::new(
                FailureClass::Timeout,
                format!("the handler did not end within timeout = {limit}"),
            ))
        }
    }
}

fn panicked(panic: Box<dyn Any + Send>) -> Outcome {
    let text = panic_text(&*panic);
    // Dropping a panic's value may panic itself.
    let _ = std::panic::catch_unwind(AssertUnwindSafe(move || drop(panic)));
    Outcome::Failed(Failure::new(FailureClass::Panic, format!("the handler panicked: {text}")))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
