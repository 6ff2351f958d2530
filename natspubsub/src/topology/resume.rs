//! A consumer that goes on in the middle, and remembers where it was planned to start. Pure.

use serde_json::{Value, json};

use super::diff::merged;
use super::generation::REPLACED_BY;
use super::owner::{mark, marked};
use crate::transport::AssetConfig;

/// Where a consumer starts: the server takes no change of these.
const START_FIELDS: [&str; 3] = ["deliver_policy", "opt_start_seq", "opt_start_time"];

/// The metadata of a consumer that goes on in the middle: the start that it was planned with.
const RESUMED: &str = "natspubsub.planned_start";

/// The configuration of a consumer that goes on behind a message; it remembers where it was planned to start.
pub(super) fn resumed(wanted: &AssetConfig, answered: u64) -> AssetConfig {
    let mut resumed = marked(wanted.clone(), &[(RESUMED, &planned_start(wanted))]);
    resumed.insert("deliver_policy".to_owned(), json!("by_start_sequence"));
    resumed.insert("opt_start_seq".to_owned(), json!(answered + 1));
    resumed.remove("opt_start_time");
    resumed
}

/// What a new consumer takes over from the one that it replaces: fields that others set, and nothing about its past.
pub(super) fn succeeding(old: &AssetConfig, wanted: &AssetConfig) -> AssetConfig {
    let mut config = merged(old, wanted);
    if let Some(Value::Object(metadata)) = config.get_mut("metadata") {
        metadata.retain(|key, _| !key.starts_with("_nats.") && key != RESUMED && key != REPLACED_BY);
    }
    config
}

/// The same configuration with another place to start at.
pub(super) fn from_sequence(config: &AssetConfig, sequence: u64) -> AssetConfig {
    let mut config = config.clone();
    config.insert("opt_start_seq".to_owned(), json!(sequence));
    config
}

/// The start that a declaration asks for, in one text.
fn planned_start(wanted: &AssetConfig) -> String {
    let fields = START_FIELDS.map(|field| wanted.get(field).filter(|value| !value.is_null()).map(Value::to_string));
    fields.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// What is compared with an existing consumer: one that was resumed keeps its start.
pub(super) fn comparable(existing: &AssetConfig, wanted: &AssetConfig) -> AssetConfig {
    let mut wanted = wanted.clone();
    if mark(existing, RESUMED).is_some_and(|start| start == planned_start(&wanted)) {
        START_FIELDS.iter().for_each(|field| drop(wanted.remove(*field)));
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::super::change::AssetKind;
    use super::super::diff::diff;
    use super::super::owner::owned;
    use super::*;

    fn object(value: Value) -> AssetConfig {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_resumed_consumer_is_no_drift_until_another_start_is_declared() {
        let differing = |made: &AssetConfig, wanted: Value| {
            diff(AssetKind::Consumer, made, &comparable(made, &object(wanted)), (2, 15)).len()
        };
        let wanted = json!({"name": "c", "deliver_policy": "new", "opt_start_seq": null, "ack_wait": 1});
        let made = owned(&resumed(&object(wanted.clone()), 7), "orders");
        assert_eq!((&made["deliver_policy"], &made["opt_start_seq"]), (&json!("by_start_sequence"), &json!(8)));
        assert_eq!(differing(&made, wanted), 0);
        let longer = json!({"name": "c", "deliver_policy": "new", "opt_start_seq": null, "ack_wait": 2});
        assert_eq!(differing(&made, longer), 1);
        let other = json!({"name": "c", "deliver_policy": "all", "opt_start_seq": null, "ack_wait": 1});
        assert!(differing(&made, other) > 0);
    }
}
