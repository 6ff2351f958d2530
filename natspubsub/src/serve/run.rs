//! One message from first to last: read, call, count, answer.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::incoming;
use super::listener::Listener;
use super::reply::{ENDING, Refusal, refusal, refuse, reply};
use crate::handler::{Delivery, Failure, Outcome, ReplySlot, panicked, redact};
use crate::message::Context;
use crate::metrics::{Ending, Flight, RunOutcome};
use crate::trace::{failed, is_wanted, process_span};
use crate::transport::CoreMessage;

/// How a run ended.
enum Ended {
    Ran(Outcome),
    /// The application ended before.
    Cut,
}

impl Ended {
    fn error_type(&self) -> Option<&'static str> {
        match self {
            Self::Ran(outcome) => outcome.error_type(),
            Self::Cut => Some("shutting_down"),
        }
    }
}

/// Handles one message, and answers it if it is a request.
pub(super) async fn run(listener: &Listener, message: CoreMessage, flight: Flight, cut: &CancellationToken) {
    let CoreMessage { message, reply, .. } = message;
    let (size, slot) = (message.body.len(), ReplySlot::default());
    let is_timed = listener.metrics.is_recorded() || listener.plan.answers();
    let time = || if is_timed { listener.ground.clock.monotonic() } else { Duration::ZERO };
    let began = time();
    let delivery = incoming::read(listener, message);
    flight.begin(began);
    let running = listener.metrics.running();
    // Nothing is left to say who failed when the delivery is gone.
    let context = delivery.as_ref().map_or_else(|(context, _)| context.clone(), |delivery| delivery.context().clone());
    // Code of the user also runs outside the handler: in `Drop` after a timeout, in the text of an error.
    let caught = AssertUnwindSafe(ended(listener, delivery, size, &slot, cut)).catch_unwind().await;
    let ended = caught.unwrap_or_else(|panic| Ended::Ran(Outcome::Failed(panicked(panic))));
    drop(running);
    let took = time().saturating_sub(began);
    measure(listener, &flight, &ended, took);
    count(listener, context.subject(), &ended);
    if listener.plan.answers() {
        let answer = answer(&ended, &slot);
        listener.tally.add(took, answer.as_ref().err());
        match answer {
            Ok(body) => self::reply(listener, reply, body).await,
            Err(refusal) => refuse(listener, reply, &refusal).await,
        }
    }
}

async fn ended(
    listener: &Listener,
    delivery: Result<Delivery, (Context, Failure)>,
    size: usize,
    slot: &ReplySlot,
    cut: &CancellationToken,
) -> Ended {
    let delivery = match delivery {
        Ok(delivery) => delivery,
        Err((_, failure)) => return Ended::Ran(Outcome::Failed(failure)),
    };
    // To wait for it takes a lock and a place in a queue: only what does not end at once does.
    if cut.is_cancelled() {
        return Ended::Cut;
    }
    let span = if is_wanted() { process_span(&listener.traced(&delivery, size)) } else { Span::none() };
    let clock = &*listener.ground.clock;
    let ended = tokio::select! {
        biased;
        ran = listener.chain.run(clock, listener.plan.timeout, delivery, Some(slot)).instrument(span.clone()) => {
            Ended::Ran(ran)
        }
        () = cut.cancelled() => Ended::Cut,
    };
    failed(&span, ended.error_type());
    ended
}

/// Counts how it ended. What failed is gone: nobody stored it.
fn count(listener: &Listener, subject: &str, ended: &Ended) {
    let (stats, name) = (&listener.ground.stats, &listener.name);
    match ended {
        Ended::Ran(Outcome::Ack) => stats.processed(),
        Ended::Ran(Outcome::Discard { .. }) => stats.discarded(),
        Ended::Ran(Outcome::Duplicate) => stats.duplicates(),
        Ended::Ran(outcome) => {
            stats.failed();
            let error = redact(format!("{outcome:?}"));
            tracing::warn!(subscriber = %name, subject, error, "failed; a message of core NATS is not tried again");
        }
        Ended::Cut => {
            stats.failed();
            tracing::warn!(subscriber = %name, subject, "cut off by the end of the application; the message is lost");
        }
    }
}

/// What was cut off has not run to its end, so that it has no duration.
fn measure(listener: &Listener, flight: &Flight, ended: &Ended, took: Duration) {
    let Ended::Ran(outcome) = ended else { return flight.end(Ending::Failed) };
    listener.metrics.ran(RunOutcome::from(outcome), took);
    flight.end(match outcome {
        Outcome::Ack => Ending::Processed,
        Outcome::Discard { .. } => Ending::Discarded,
        Outcome::Duplicate => Ending::Duplicate,
        Outcome::Retry { .. } | Outcome::DeadLetter { .. } | Outcome::Failed(_) => Ending::Failed,
    });
}

/// The value of the reply, or why there is none.
fn answer(ended: &Ended, slot: &ReplySlot) -> Result<Bytes, Refusal> {
    match (ended, slot.take()) {
        (Ended::Cut, _) => Err(ENDING),
        (Ended::Ran(Outcome::Ack), Some(body)) => Ok(body),
        (Ended::Ran(outcome), _) => Err(refusal(outcome)),
    }
}
