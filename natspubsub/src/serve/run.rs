//! One message from first to last: read, call, count, answer.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::heard::Heard;
use super::listener::Listener;
use super::reply::{ENDING, Refusal, refusal, refuse, reply};
use crate::handler::{Delivery, Failure, Outcome, ReplySlot, panicked, redact};
use crate::message::{Body, Context, Source};
use crate::metrics::{Ending, Flight, RunOutcome};
use crate::trace::{failed, is_wanted, process_span};

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

/// Handles one message with its body, and answers it if it is a request.
pub(super) async fn run(listener: &Listener, heard: Arc<Heard>, body: Result<Body, Failure>, cut: &CancellationToken) {
    let is_timed = listener.metrics.is_recorded() || listener.plan.answers();
    let time = || if is_timed { listener.ground.clock.monotonic() } else { Duration::ZERO };
    let (began, slot) = (time(), ReplySlot::default());
    heard.flight.begin(began);
    let running = listener.metrics.running();
    // Code of the user also runs outside the handler: in `Drop` after a timeout, in the text of an error.
    let caught = AssertUnwindSafe(ended(listener, heard.clone(), body, &slot, cut)).catch_unwind().await;
    let ended = caught.unwrap_or_else(|panic| Ended::Ran(Outcome::Failed(panicked(panic))));
    drop(running);
    let took = time().saturating_sub(began);
    measure(listener, &heard.flight, &ended, took);
    count(listener, heard.subject(), &ended);
    if listener.plan.answers() {
        // In a box: every run would be as large.
        Box::pin(answered(listener, &heard, &ended, &slot, took)).await;
    }
}

async fn ended(
    listener: &Listener,
    heard: Arc<Heard>,
    body: Result<Body, Failure>,
    slot: &ReplySlot,
    cut: &CancellationToken,
) -> Ended {
    let body = match body {
        Ok(body) => body,
        Err(failure) => return Ended::Ran(Outcome::Failed(failure)),
    };
    if cut.is_cancelled() {
        return Ended::Cut;
    }
    let (size, context) = (heard.size, Context::of(heard));
    let span = if is_wanted() { process_span(&listener.traced(&context, size)) } else { Span::none() };
    let delivery = Delivery::new(context, body, listener.ground.services.clone());
    let clock = &*listener.ground.clock;
    let running = listener.chain.run(clock, listener.plan.timeout, delivery, Some(slot)).instrument(span.clone());
    let (mut running, mut over) = (pin!(running), pin!(None));
    let ended = poll_fn(|context| {
        if let Poll::Ready(ran) = running.as_mut().poll(context) {
            return Poll::Ready(Ended::Ran(ran));
        }
        // To wait for the end takes a lock and a place in a queue: only what does not end at once does.
        if over.is_none() {
            over.set(Some(cut.cancelled()));
        }
        over.as_mut().as_pin_mut().map_or(Poll::Pending, |over| over.poll(context).map(|()| Ended::Cut))
    });
    let ended = ended.await;
    failed(&span, ended.error_type());
    ended
}

/// Answers a request.
async fn answered(listener: &Listener, heard: &Heard, ended: &Ended, slot: &ReplySlot, took: Duration) {
    let (answer, reply) = (answer(ended, slot), heard.reply.clone());
    listener.tally.add(took, answer.as_ref().err());
    match answer {
        Ok(body) => self::reply(listener, reply, body).await,
        Err(refusal) => refuse(listener, reply, &refusal).await,
    }
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
