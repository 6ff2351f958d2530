//! What an application declares, and how that stands now.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::app::health::{HealthDesk, Parts};
use crate::clock::timeout;
use crate::consume::Sight;
use crate::stats::Stats;

/// How long the server may take to answer about one consumer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// The phase, the counters, and how far each subscriber is.
pub(super) async fn live(desk: &Arc<HealthDesk>) -> Value {
    let phase = desk.phase_name();
    let Some(parts) = desk.parts() else { return json!({ "phase": phase }) };
    let sights: Vec<Sight> = parts.crew.subscribers().iter().map(|subscriber| subscriber.sight()).collect();
    let subscribers = join_all(sights.iter().map(|sight| subscriber(&parts, sight))).await;
    let listeners: Vec<Value> = parts.crew.listeners().iter().map(|listener| {
        let problem = listener.problem();
        json!({ "function": listener.name(), "state": if problem.is_some() { "stopped" } else { "running" }, "problem": problem })
    }).collect();
    json!({
        "phase": phase,
        "server": parts.shared.transport.describe(),
        "connected": parts.shared.transport.is_connected(),
        "stats": stats(&parts.shared.stats.read()),
        "subscribers": subscribers,
        "listeners": listeners,
        "outboxes": parts.boards.iter().map(|(store, board)| outbox(store, &board.stats())).collect::<Vec<_>>(),
    })
}

/// What the server does not say, and what the account may not ask, is null.
async fn subscriber(parts: &Parts, sight: &Sight) -> Value {
    let Sight { durable, stream, consumer, in_hand, taken, problem, pause, .. } = sight;
    let transport = &parts.shared.transport;
    let asked =
        async { (transport.progress(stream, consumer).await, transport.consumer_state(stream, consumer).await) };
    let answered = match transport.is_connected() {
        true => timeout(&*parts.shared.clock, ANSWER_LIMIT, asked).await,
        false => None,
    };
    let (progress, state) =
        answered.map_or((None, None), |(progress, state)| (progress.ok().flatten(), state.ok().flatten()));
    let told = match (problem, pause) {
        (Some(problem), _) => ("stopped", Some(problem)),
        (None, Some(pause)) => ("paused", Some(pause)),
        (None, None) => ("running", None),
    };
    json!({
        "durable": &**durable,
        "stream": &**stream,
        "consumer": &**consumer,
        "state": told.0,
        "problem": told.1,
        "received": taken,
        "in_hand": in_hand,
        "pending": progress.map(|progress| progress.backlog),
        "ack_pending": state.as_ref().map(|state| state.unanswered),
        "ack_floor": progress.map(|progress| progress.answered),
        "pulls_waiting": state.as_ref().map(|state| state.waiting),
    })
}

fn stats(stats: &Stats) -> Value {
    let Stats {
        received,
        processed,
        retried,
        dead_lettered,
        discarded,
        duplicates,
        released,
        unstored,
        unanswered,
        failed,
        dropped,
    } = stats;
    json!({
        "received": received,
        "processed": processed,
        "retried": retried,
        "dead_lettered": dead_lettered,
        "discarded": discarded,
        "duplicates": duplicates,
        "released": released,
        "unstored": unstored,
        "unanswered": unanswered,
        "failed": failed,
        "dropped": dropped,
    })
}

fn outbox(store: &str, stats: &crate::relay::RelayStats) -> Value {
    json!({
        "store": store,
        "published": stats.published,
        "duplicates": stats.duplicates,
        "retried": stats.retried,
        "failed": stats.failed,
        "pending": stats.pending,
        "failed_rows": stats.failed_rows,
        "oldest_seconds": stats.oldest.map(|oldest| oldest.as_secs()),
        "leads": stats.leads,
    })
}
