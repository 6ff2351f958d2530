//! What differs between a wanted and an existing configuration. Pure.
//!
//! A wanted field that is null must be absent. Fields that are not wanted are not ours: they are never compared and
//! survive every update. Subjects that others added stay, and of the metadata only the wanted keys count.

use serde_json::{Map, Value, json};

use super::change::{AssetKind, FieldChange};
use super::immutable::{Version, is_in_place};
use super::owner::subjects;
use crate::transport::AssetConfig;

/// Numbers where 0 and -1 both say "no limit".
const LIMITS: [&str; 6] =
    ["max_msgs", "max_bytes", "max_msgs_per_subject", "max_msg_size", "max_consumers", "max_deliver"];

/// The fields of `wanted` that differ in `existing`.
pub(super) fn diff(
    asset: AssetKind,
    existing: &AssetConfig,
    wanted: &AssetConfig,
    version: Version,
) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    for (field, to) in wanted {
        let from = existing.get(field).unwrap_or(&Value::Null);
        match field.as_str() {
            "metadata" => changes.extend(metadata(from, to)),
            "subjects" => {
                let to = json!(together(existing, wanted));
                if !is_same(field, from, &to) {
                    changes.push(FieldChange { field: field.clone(), from: from.clone(), to, in_place: true });
                }
            }
            _ if is_same(field, from, to) => {}
            _ => {
                let in_place = is_in_place(asset, field, from, to, version);
                changes.push(FieldChange { field: field.clone(), from: from.clone(), to: to.clone(), in_place });
            }
        }
    }
    // What cannot be changed in place is what the reader has to know first.
    changes.sort_by_key(|change| change.in_place);
    changes
}

/// The subjects of both, those of the server first.
fn together<'a>(existing: &'a AssetConfig, wanted: &'a AssetConfig) -> Vec<&'a str> {
    let mut all: Vec<&str> = subjects(existing).collect();
    let more: Vec<&str> = subjects(wanted).filter(|subject| !all.contains(subject)).collect();
    all.extend(more);
    all
}

fn metadata(from: &Value, to: &Value) -> Vec<FieldChange> {
    let keys = to.as_object().into_iter().flatten();
    let differs = keys.filter_map(|(key, to)| {
        let from = from.get(key).unwrap_or(&Value::Null);
        let field = format!("metadata.{key}");
        (from != to).then(|| FieldChange { field, from: from.clone(), to: to.clone(), in_place: true })
    });
    differs.collect()
}

/// Whether two values of a field say the same, with what the server leaves out or fills in.
fn is_same(field: &str, from: &Value, to: &Value) -> bool {
    let no_limit = |value: &Value| value.is_null() || value.as_i64().is_some_and(|number| number <= 0);
    match (from, to) {
        _ if from == to || is_absent(from) && is_absent(to) => true,
        // What an old server leaves out of its answer, it does not have.
        (from, to) if LIMITS.contains(&field) => no_limit(from) && no_limit(to),
        (Value::String(from), Value::String(to)) if field == "opt_start_time" => {
            let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
            time(from).is_some() && time(from) == time(to)
        }
        (Value::Array(from), Value::Array(to)) => {
            from.len() == to.len() && from.iter().all(|own| to.iter().any(|other| is_same(field, own, other)))
        }
        (Value::Object(from), Value::Object(to)) => is_same_object(from, to),
        _ => false,
    }
}

fn is_same_object(from: &Map<String, Value>, to: &Map<String, Value>) -> bool {
    let value = |map: &Map<String, Value>, key: &str| map.get(key).cloned().unwrap_or(Value::Null);
    from.keys().chain(to.keys()).all(|key| is_same(key, &value(from, key), &value(to, key)))
}

/// The server leaves out empty values, and writes some defaults.
fn is_absent(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(is_set) => !is_set,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Array(values) => values.is_empty(),
        Value::Object(values) => values.is_empty(),
        Value::String(text) => matches!(text.as_str(), "" | "none" | "default"),
    }
}

/// `existing` with the wanted fields written over it.
pub(super) fn merged(existing: &AssetConfig, wanted: &AssetConfig) -> AssetConfig {
    let mut merged = existing.clone();
    for (field, value) in wanted {
        match (field.as_str(), value) {
            (_, Value::Null) => drop(merged.remove(field)),
            ("subjects", _) => drop(merged.insert(field.clone(), json!(together(existing, wanted)))),
            ("metadata", Value::Object(keys)) => {
                let mut all = existing.get(field).and_then(Value::as_object).cloned().unwrap_or_default();
                all.extend(keys.clone());
                merged.insert(field.clone(), Value::Object(all));
            }
            _ => drop(merged.insert(field.clone(), value.clone())),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEWEST: Version = (2, 15);

    fn object(value: Value) -> AssetConfig {
        value.as_object().unwrap().clone()
    }

    fn lines(asset: AssetKind, existing: Value, wanted: Value) -> Vec<String> {
        diff(asset, &object(existing), &object(wanted), NEWEST).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_wanted_fields_are_compared_and_only_they_are_written() {
        let existing = json!({"name": "S", "max_age": 1_000_000, "max_bytes": 7, "metadata": {"by": "hand"}});
        let wanted = json!({"name": "S", "max_age": 2_000_000, "metadata": {"team": "a"}});
        let changes = lines(AssetKind::Stream, existing.clone(), wanted.clone());
        assert_eq!(changes, ["max_age 1ms -> 2ms", "metadata.team unset -> a"]);
        let merged = merged(&object(existing), &object(wanted));
        let all = json!({"name": "S", "max_age": 2_000_000, "max_bytes": 7, "metadata": {"by": "hand", "team": "a"}});
        assert_eq!(Value::Object(merged), all);
    }

    #[test]
    fn a_null_is_absent_and_an_absent_field_is_no_change() {
        let wanted = json!({"filter_subject": "a", "filter_subjects": null, "backoff": null});
        assert!(lines(AssetKind::Consumer, json!({"filter_subject": "a", "backoff": []}), wanted.clone()).is_empty());
        let two = json!({"filter_subjects": ["a", "b"], "backoff": [1]});
        assert_eq!(lines(AssetKind::Consumer, two.clone(), wanted.clone()).len(), 3);
        assert_eq!(Value::Object(merged(&object(two), &object(wanted))), json!({"filter_subject": "a"}));
    }

    #[test]
    fn what_the_server_leaves_out_or_fills_in_is_no_difference() {
        for (existing, wanted) in [
            (json!({}), json!({"deny_delete": false, "compression": "none", "sources": [], "first_seq": 0})),
            (json!({"compression": "none", "max_msgs": -1}), json!({"compression": null, "max_msgs": 0})),
            (
                json!({"opt_start_time": "2026-01-02T05:04:05.5+02:00"}),
                json!({"opt_start_time": "2026-01-02T03:04:05.500Z"}),
            ),
            (json!({"filter_subjects": ["b", "a"]}), json!({"filter_subjects": ["a", "b"]})),
            (json!({"sources": [{"name": "A"}]}), json!({"sources": [{"name": "A", "filter_subject": ""}]})),
            (json!({"metadata": {"_nats.ver": "2.15.1"}}), json!({"metadata": {}})),
        ] {
            assert_eq!(lines(AssetKind::Stream, existing, wanted), Vec::<String>::new());
        }
        let limited = lines(AssetKind::Stream, json!({"max_msgs": -1}), json!({"max_msgs": 5}));
        assert_eq!(limited, ["max_msgs unlimited -> 5"]);
    }

    #[test]
    fn subjects_that_others_added_stay_and_missing_ones_are_added() {
        let existing = json!({"subjects": ["a.>", "legacy.>"]});
        assert!(lines(AssetKind::Stream, existing.clone(), json!({"subjects": ["a.>"]})).is_empty());
        let wanted = json!({"subjects": ["a.>", "b.>"]});
        let changes = lines(AssetKind::Stream, existing.clone(), wanted.clone());
        assert_eq!(changes, ["subjects a.>, legacy.> -> a.>, legacy.>, b.>"]);
        let written = merged(&object(existing), &object(wanted));
        assert_eq!(written["subjects"], json!(["a.>", "legacy.>", "b.>"]));
    }
}
