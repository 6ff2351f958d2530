//! What needs a newer server: one before 2.12 drops unknown fields in silence. Pure.

use serde_json::Value;

use super::plan::Plan;
use super::state::State;
use crate::transport::{AssetConfig, config_text};

/// A field, the API level that knows it, and the version that has this level.
type Feature = (&'static str, u32, &'static str);

const OF_STREAMS: [Feature; 7] = [
    ("allow_msg_ttl", 1, "2.11"),
    ("subject_delete_marker_ttl", 1, "2.11"),
    ("allow_msg_counter", 2, "2.12"),
    ("allow_atomic", 2, "2.12"),
    ("allow_msg_schedules", 2, "2.12"),
    ("persist_mode", 2, "2.12"),
    ("allow_batched", 4, "2.14"),
];

const OF_CONSUMERS: [Feature; 3] =
    [("pause_until", 1, "2.11"), ("priority_policy", 1, "2.11"), ("priority_groups", 1, "2.11")];

/// The features that a configuration uses.
fn used<'a>(config: &'a AssetConfig, features: &'static [Feature]) -> impl Iterator<Item = &'static Feature> + use<'a> {
    let is_used = |value: &Value| !matches!(value, Value::Null | Value::Bool(false)) && value != 0 && value != "";
    features.iter().filter(move |(field, ..)| config.get(*field).is_some_and(is_used))
}

/// Whether the level of the API has to be known.
pub(super) fn needs_level(plan: &Plan) -> bool {
    let streams = plan.streams.iter().any(|config| used(config, &OF_STREAMS).next().is_some());
    streams || plan.consumers().any(|consumer| used(&consumer.consumer, &OF_CONSUMERS).next().is_some())
}

/// What is declared and the server does not know.
pub(super) fn unknown(plan: &Plan, state: &State) -> Vec<String> {
    let Some(level) = state.api_level else { return Vec::new() };
    let (major, minor) = state.version();
    let mut faults = Vec::new();
    let mut look = |what: String, config: &AssetConfig, features| {
        for (field, _, version) in used(config, features).filter(|(_, needed, _)| *needed > level) {
            faults.push(format!(
                "{what}: {field} needs nats-server {version} or later; this one is {major}.{minor} (API level {level}) and would ignore it in silence"
            ));
        }
    };
    for config in &plan.streams {
        let what = format!("stream {:?}", config_text(config, "name"));
        look(plan.about_stream(config, &what), config, &OF_STREAMS);
    }
    for planned in plan.consumers() {
        look(format!("{}: consumer {:?}", planned.origin.place(), planned.durable), &planned.consumer, &OF_CONSUMERS);
    }
    faults
}
