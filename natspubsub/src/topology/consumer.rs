//! The wanted configuration of a pull consumer. Pure.

use std::time::Duration;

use serde_json::{Value, json};

use super::plan::{nanos, object};
use super::settings::SubscriberSettings;
use crate::registry::Deliver;
use crate::transport::AssetConfig;

/// The engine counts attempts; the server's limit is a net far behind it. What reaches it, the sweeper catches.
const DELIVERIES_BEYOND_ATTEMPTS: i64 = 100;

/// At a limit the server stops delivering in silence: none where nothing would catch it.
const UNLIMITED: i64 = -1;

/// The server's default; a smaller number would stop deliveries to the other instances without an error.
const ACK_PENDING_MIN: u32 = 1_000;

/// How long the server keeps an ephemeral consumer that nobody pulls from: longer than a restart of the server.
const EPHEMERAL_IDLE: Duration = Duration::from_secs(60);

/// A pull consumer. `backoff` stays absent: it replaces `ack_wait` and distorts the delay of a NAK.
pub(super) fn consumer(
    name: &str,
    mut filters: Vec<String>,
    settings: &SubscriberSettings,
    deliver: Option<Deliver>,
) -> AssetConfig {
    let (one, many) = match filters.len() {
        1 => (json!(filters.remove(0)), Value::Null),
        _ => (Value::Null, json!(filters)),
    };
    let (policy, sequence, time) = match deliver.unwrap_or(Deliver::All) {
        Deliver::All => ("all", Value::Null, Value::Null),
        Deliver::New => ("new", Value::Null, Value::Null),
        Deliver::Last => ("last", Value::Null, Value::Null),
        Deliver::LastPerSubject => ("last_per_subject", Value::Null, Value::Null),
        Deliver::FromSequence(sequence) => ("by_start_sequence", json!(sequence), Value::Null),
        Deliver::FromTime(time) => ("by_start_time", Value::Null, json!(time)),
    };
    let (durable, idle) = match settings.ephemeral {
        true => (Value::Null, json!(nanos(EPHEMERAL_IDLE))),
        false => (json!(name), Value::Null),
    };
    object(json!({
        "name": name,
        "durable_name": durable,
        "inactive_threshold": idle,
        "filter_subject": one,
        "filter_subjects": many,
        "deliver_policy": policy,
        "opt_start_seq": sequence,
        "opt_start_time": time,
        "ack_policy": "explicit",
        "replay_policy": "instant",
        "ack_wait": nanos(settings.ack_wait),
        "max_deliver": deliveries_max(settings),
        "max_ack_pending": ack_pending_max(settings),
        "backoff": Value::Null,
    }))
}

/// The same without a limit of deliveries: advisories are kept of the application's own stream only.
pub(super) fn unlimited(mut consumer: AssetConfig) -> AssetConfig {
    consumer.insert("max_deliver".to_owned(), json!(UNLIMITED));
    consumer
}

fn deliveries_max(settings: &SubscriberSettings) -> i64 {
    match settings.dead_letter {
        true => i64::from(settings.max_attempts).saturating_add(DELIVERIES_BEYOND_ATTEMPTS),
        false => UNLIMITED,
    }
}

/// With a key and one handler at a time, the order holds across processes: the server hands out one message at a time.
fn ack_pending_max(settings: &SubscriberSettings) -> u32 {
    if settings.ordered_by.is_some() && settings.concurrency == 1 {
        return 1;
    }
    settings.concurrency.saturating_add(settings.prefetch).saturating_mul(4).max(ACK_PENDING_MIN)
}
