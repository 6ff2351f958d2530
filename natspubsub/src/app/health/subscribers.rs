//! The check of one subscriber: it runs, its consumer is there, and what waits arrives.

use super::built_in::{NOT_ASKED, ask};
use super::parts::Parts;
use crate::consume::Sight;
use crate::health::{Found, built_in as name};
use crate::transport::Progress;

/// What keeps it from receiving messages comes first, then what the server says about its consumer.
pub(super) async fn look(parts: &Parts, sight: Sight) -> Found {
    if let Some(problem) = &sight.problem {
        return Found::unhealthy(problem);
    }
    let transport = &parts.shared.transport;
    if !transport.is_connected() {
        return Found::unhealthy(NOT_ASKED);
    }
    let Sight { stream, consumer, .. } = &sight;
    let question = format!("{}{stream}/{consumer}", name::SUBSCRIBER);
    match ask(parts, &question, transport.progress(stream, consumer)).await {
        Ok(Some(Some(Progress { backlog, .. }))) => judge(parts, &sight, backlog),
        Ok(Some(None)) => Found::unhealthy(format!("the consumer {consumer} of the stream {stream} does not exist")),
        Ok(None) => paused(&sight).unwrap_or_else(|| Found::healthy(format!("{} in hand", sight.in_hand))),
        Err(found) => found,
    }
}

fn paused(sight: &Sight) -> Option<Found> {
    sight.pause.as_ref().map(Found::degraded)
}

fn judge(parts: &Parts, sight: &Sight, backlog: u64) -> Found {
    let waits = backlog > 0 && sight.has_room && sight.pause.is_none();
    let now = parts.shared.clock.monotonic();
    let consumer = format!("{}/{}", sight.stream, sight.consumer);
    if let Some(time) = parts.witness.stall(&consumer, sight.taken, waits, now) {
        let seconds = time.as_secs();
        return Found::unhealthy(format!(
            "{backlog} message(s) wait at the consumer {}, and none has arrived for {seconds} s",
            sight.consumer
        ));
    }
    if let Some(found) = paused(sight) {
        return found;
    }
    let told = format!("{backlog} waiting, {} in hand", sight.in_hand);
    match backlog > parts.backlog_max {
        true => Found::degraded(format!("{told}: more than health_backlog = {}", parts.backlog_max)),
        false => Found::healthy(told),
    }
}
