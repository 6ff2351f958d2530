//! Carries a settlement out: the only code that acknowledges, delays or ends a delivery.

use std::sync::Arc;
use std::time::Duration;

use tracing::Span;

use super::dead_letter::{self, Failed, Letter, Original};
use super::in_hand::InHand;
use super::inbox;
use super::releases;
use super::settle::{DeadReason, Settlement};
use super::subscriber::{Shared, Subscriber};
use crate::failpoints::{Point, Sabotage, is_set, reached, sabotaged};
use crate::message::Context;
use crate::metrics::{AckFailure, Ending};
use crate::trace;
use crate::transport::Answer;

/// How often an acknowledgement with `confirm_ack` is sent.
const CONFIRM_ATTEMPTS: u32 = 2;

/// Carries out the settlement of what succeeded, if nothing has to be waited for; `false` when [`settle`] has to do it.
pub(super) fn settled_at_once(subscriber: &Subscriber, hand: &Arc<InHand>, settlement: &Settlement) -> bool {
    let waits = subscriber.plan.settings.confirm_ack || hand.is_void() || is_set(Point::BeforeAnswer);
    if *settlement != Settlement::Done || waits || !is_acknowledged(subscriber, hand) {
        return false;
    }
    subscriber.memory.forget(hand);
    let_go_of(subscriber, hand, Ending::Processed);
    subscriber.stats.processed();
    true
}

/// Acknowledges with the others of this pass, or at once; `false` when neither can be.
fn is_acknowledged(subscriber: &Subscriber, hand: &Arc<InHand>) -> bool {
    let shared = &subscriber.shared;
    hand.stop_signals();
    if shared.transport.gathers_acknowledgements() {
        shared.acks.add(hand.clone());
        return true;
    }
    matches!(shared.transport.acknowledge(hand.token()), Some(Ok(())))
}

/// Carries out a settlement. [`Settlement::Hold`] and [`Settlement::Wait`] do not end a delivery, and never come here.
pub(super) async fn settle(subscriber: &Subscriber, hand: &Arc<InHand>, context: &Context, settlement: Settlement) {
    let stats = &subscriber.stats;
    match if hand.is_void() { settlement.without_return() } else { settlement } {
        Settlement::Done => {
            if answer(subscriber, hand, Answer::Ack, Ending::Processed).await {
                stats.processed();
            }
        }
        Settlement::Duplicate => {
            tracing::debug!(subject = context.subject(), event_id = context.event_id(), "handled before");
            if answer(subscriber, hand, Answer::Ack, Ending::Duplicate).await {
                stats.duplicates();
            }
        }
        Settlement::Discarded { reason } => {
            tracing::info!(subject = context.subject(), event_id = context.event_id(), reason, "discarded");
            if answer(subscriber, hand, Answer::Ack, Ending::Discarded).await {
                stats.discarded();
            }
        }
        Settlement::Retry { delay, error } | Settlement::Hold { pause: delay, error } => {
            subscriber.memory.note_failure(hand, subscriber.shared.clock.now());
            log_retry(context, delay, &error);
            releases::note_failed(subscriber, hand).await;
            subscriber.metrics.retried();
            if answer(subscriber, hand, Answer::Nak(delay), Ending::Retried).await {
                stats.retried();
            }
        }
        // What waits is waited for in the run; it ends here only with the application.
        Settlement::Wait { .. } | Settlement::Release => release(subscriber, hand).await,
        Settlement::Expired => {
            // It did not run: its next delivery is no further attempt.
            releases::record(subscriber, hand).await;
            let failure = (AckFailure::Expired, "the server has delivered the message again before it could run");
            let_go_unanswered(subscriber, hand, failure.0, failure.1);
        }
        Settlement::Dead { reason, error } if subscriber.plan.settings.dead_letter => {
            settle_dead(subscriber, hand, context, reason, error).await;
        }
        Settlement::Dead { reason, error } => {
            let event_id = context.event_id();
            tracing::error!(subject = context.subject(), event_id, %reason, error, "dropped: the subscriber has dead_letter = false");
            if answer(subscriber, hand, Answer::Term(reason.to_string()), Ending::Discarded).await {
                stats.discarded();
            }
        }
    }
}

fn log_retry(context: &Context, delay: Duration, error: &str) {
    let (attempt, max_attempts) = (context.attempt(), context.max_attempts());
    let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
    tracing::warn!(
        subject = context.subject(),
        event_id = context.event_id(),
        consumer = context.durable(),
        attempt,
        max_attempts,
        delay_ms,
        error,
        "retry"
    );
}

/// Stores the dead letter and waits for the confirmation; only then ends the original. Without a confirmation the
/// original stays, the cause is remembered, and its next delivery comes straight here.
async fn settle_dead(
    subscriber: &Subscriber,
    hand: &Arc<InHand>,
    context: &Context,
    reason: DeadReason,
    error: String,
) {
    if sabotaged(Sabotage::TermBeforeDeadLetter) {
        answer_too_early(subscriber, hand, Answer::Term(reason.to_string())).await;
    }
    if subscriber.memory.is_known_unreadable(hand) {
        // Its dead letter is stored; the server has not learnt yet that the delivery has ended.
        answer(subscriber, hand, Answer::Term(reason.to_string()), Ending::DeadLettered).await;
        return;
    }
    let now = subscriber.shared.clock.now();
    let first_failed_at = subscriber.memory.note_failure(hand, now);
    let failed = Failed { reason, error: &error, first_failed_at, failed_at: now };
    let letter = Letter::of(&subscriber.shared, &original(subscriber, hand, context), &failed);
    let (subject, event_id) = (context.subject(), context.event_id());
    match dead_letter::store(&subscriber.shared, letter).await {
        Ok(stored) => {
            tracing::error!(subject, event_id, consumer = context.durable(), %reason, error, sequence = stored.sequence, "dead letter stored");
            if hand.received().fault.is_some() {
                subscriber.memory.note_unreadable(hand);
            }
            subscriber.metrics.dead_lettered(reason as usize);
            reached(Point::AfterDlqPublishBeforeTerm).await;
            inbox::note_dead(subscriber, context, &error).await;
            answer(subscriber, hand, Answer::Term(reason.to_string()), Ending::DeadLettered).await;
            subscriber.stats.dead_lettered();
        }
        Err(_) if sabotaged(Sabotage::IgnoreDeadLetterError) => {
            answer(subscriber, hand, Answer::Term(reason.to_string()), Ending::DeadLettered).await;
            subscriber.stats.dead_lettered();
        }
        Err(fault) => {
            let delay = subscriber.memory.note_unstored(hand, reason, error, now);
            let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            trace::failed(&Span::current(), Some("dead_letter_not_stored"));
            tracing::error!(subject, event_id, %reason, fault, delay_ms, "the dead letter could not be stored; the message is kept and tried again");
            answer(subscriber, hand, Answer::Nak(delay), Ending::Unstored).await;
            subscriber.stats.unstored();
        }
    }
}

fn original<'a>(subscriber: &Subscriber, hand: &'a InHand, context: &'a Context) -> Original<'a> {
    Original {
        received: hand.received(),
        stream: context.stream(),
        durable: context.durable(),
        topic: context.topic(),
        event_id: context.event_id(),
        trace_id: context.trace_id(),
        envelope: subscriber.plan.settings.envelope,
        retained: subscriber.plan.retained,
    }
}

/// Gives a delivery back that was never run or was cut off, because the application ends.
pub(super) async fn release(subscriber: &Subscriber, hand: &Arc<InHand>) {
    // Given back earlier, it would come back here, to be given back once more.
    subscriber.withdrawn.cancelled().await;
    // Past the deadline the server has delivered it again, and nothing is given back here.
    if hand.is_ours(subscriber.shared.clock.monotonic()) {
        releases::record(subscriber, hand).await;
    }
    if answer(subscriber, hand, Answer::Nak(Duration::ZERO), Ending::Released).await {
        subscriber.stats.released();
    }
}

/// The one place that answers a delivery; whether the answer was handed to a connection that stands, or will be.
///
/// Past the deadline, or after an outage, the server has delivered the message again: a NAK or TERM would then hit that
/// other run, so nothing but an acknowledgement of finished work is sent. Of a stream that was made again, the number of
/// an old message is that of a new one, and nothing is sent at all. A dropped future leaves the delivery in
/// the keeper's table, from where it is released.
pub(super) async fn answer(subscriber: &Subscriber, hand: &Arc<InHand>, answer: Answer, ending: Ending) -> bool {
    let shared = &subscriber.shared;
    hand.stop_signals();
    reached(Point::BeforeAnswer).await;
    let finished = matches!(answer, Answer::Ack | Answer::Term(_));
    let is_ours = || {
        let is_ours = hand.is_ours(shared.clock.monotonic()) && shared.transport.is_connected();
        is_ours || sabotaged(Sabotage::NakAfterDeadline)
    };
    let sent = if hand.is_void() {
        let reason = "its stream was made again, and the message is gone with the old one";
        Err((AckFailure::StreamGone, reason.to_owned()))
    } else if answer == Answer::Ack && subscriber.plan.settings.confirm_ack {
        confirm(shared, hand.token()).await.map_err(|reason| (AckFailure::Unconfirmed, reason))
    } else if answer == Answer::Ack && is_acknowledged(subscriber, hand) {
        Ok(())
    } else if answer == Answer::Ack || is_ours() {
        shared.transport.answer(hand.token(), answer).await.map_err(|error| (AckFailure::NotSent, error.to_string()))
    } else {
        Err((AckFailure::Expired, "the server has delivered the message again by now".to_owned()))
    };
    if finished {
        subscriber.memory.forget(hand);
    }
    match &sent {
        Ok(()) => let_go_of(subscriber, hand, ending),
        Err((failure, reason)) => let_go_unanswered(subscriber, hand, *failure, reason),
    }
    sent.is_ok()
}

/// Ends a delivery without an answer.
fn let_go_unanswered(subscriber: &Subscriber, hand: &InHand, failure: AckFailure, reason: &str) {
    let_go_of(subscriber, hand, Ending::Unanswered);
    subscriber.stats.unanswered();
    trace::failed(&Span::current(), Some("unanswered"));
    subscriber.metrics.unanswered(failure);
    tracing::warn!(token = hand.token(), reason, "no answer was sent; the message comes again if it still exists");
}

fn let_go_of(subscriber: &Subscriber, hand: &InHand, ending: Ending) {
    hand.stop_signals();
    hand.end(ending);
    subscriber.shared.keeper.forget(hand);
    subscriber.load.remove();
}

/// Two of the mistakes that the tests must notice.
pub(super) async fn answer_too_early(subscriber: &Subscriber, hand: &InHand, answer: Answer) {
    let _ = subscriber.shared.transport.answer(hand.token(), answer).await;
}

/// Acknowledges until the server has said so, at most [`CONFIRM_ATTEMPTS`] times.
async fn confirm(shared: &Shared, token: &str) -> Result<(), String> {
    let mut attempt = 1;
    loop {
        match shared.transport.confirm(token).await {
            Ok(()) => return Ok(()),
            Err(error) if attempt >= CONFIRM_ATTEMPTS => return Err(crate::error::chain(&error)),
            Err(_) => attempt += 1,
        }
    }
}
