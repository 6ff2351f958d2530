//! What differs between a wanted and an existing configuration. Pure.
//!
//! A wanted field that is null must be absent. Fields that are not wanted are not ours: they are never compared and
//! survive every update.

use std::fmt;

use serde_json::Value;

use crate::transport::AssetConfig;

/// Fields that the server refuses to change on a stream. `retention` may change between limits and interest only.
const STREAM_IMMUTABLE: [&str; 1] = ["storage"];

/// Fields that the server refuses to change on a consumer (10012).
const CONSUMER_IMMUTABLE: [&str; 7] =
    ["deliver_policy", "opt_start_seq", "opt_start_time", "ack_policy", "replay_policy", "mem_storage", "max_waiting"];

/// Which kind of thing is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asset {
    Stream,
    Consumer,
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) field: String,
    pub(super) from: Value,
    pub(super) to: Value,
    /// Whether the server takes the change.
    pub(super) in_place: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} -> {}", self.field, self.from, self.to)
    }
}

/// The fields of `wanted` that differ in `existing`.
pub(super) fn diff(asset: Asset, existing: &AssetConfig, wanted: &AssetConfig) -> Vec<Change> {
    let mut changes = Vec::new();
    for (field, to) in wanted {
        let from = existing.get(field).unwrap_or(&Value::Null);
        if from == to || (is_absent(from) && is_absent(to)) {
            continue;
        }
        let in_place = match asset {
            Asset::Stream if field == "retention" => from != "workqueue" && to != "workqueue",
            Asset::Stream => !STREAM_IMMUTABLE.contains(&field.as_str()),
            Asset::Consumer => !CONSUMER_IMMUTABLE.contains(&field.as_str()),
        };
        changes.push(Change { field: field.clone(), from: from.clone(), to: to.clone(), in_place });
    }
    changes
}

/// The server leaves out empty values.
fn is_absent(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// `existing` with the wanted fields written over it.
pub(super) fn merged(existing: &AssetConfig, wanted: &AssetConfig) -> AssetConfig {
    let mut merged = existing.clone();
    for (field, value) in wanted {
        if value.is_null() {
            merged.remove(field);
        } else {
            merged.insert(field.clone(), value.clone());
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> AssetConfig {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn only_wanted_fields_are_compared_and_only_they_are_written() {
        let existing = object(json!({"name": "S", "max_age": 1, "max_bytes": 7, "metadata": {"by": "hand"}}));
        let wanted = object(json!({"name": "S", "max_age": 2}));
        let changes = diff(Asset::Stream, &existing, &wanted);
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].to_string(), "max_age 1 -> 2");
        assert!(changes[0].in_place);
        let merged = merged(&existing, &wanted);
        assert_eq!(
            Value::Object(merged),
            json!({"name": "S", "max_age": 2, "max_bytes": 7, "metadata": {"by": "hand"}})
        );
    }

    #[test]
    fn a_null_is_absent_and_an_absent_field_is_no_change() {
        let wanted = object(json!({"filter_subject": "a", "filter_subjects": null, "backoff": null}));
        assert_eq!(diff(Asset::Consumer, &object(json!({"filter_subject": "a", "backoff": []})), &wanted), []);
        let two = object(json!({"filter_subjects": ["a", "b"], "backoff": [1]}));
        assert_eq!(diff(Asset::Consumer, &two, &wanted).len(), 3);
        assert_eq!(Value::Object(merged(&two, &wanted)), json!({"filter_subject": "a"}));
    }

    #[test]
    fn immutable_fields_are_known() {
        let changes = diff(Asset::Stream, &object(json!({"storage": "file"})), &object(json!({"storage": "memory"})));
        assert!(!changes[0].in_place);
        for (from, to, in_place) in
            [("limits", "interest", true), ("limits", "workqueue", false), ("workqueue", "limits", false)]
        {
            let changes = diff(Asset::Stream, &object(json!({"retention": from})), &object(json!({"retention": to})));
            assert_eq!(changes[0].in_place, in_place, "{from} to {to}");
        }
        let changes =
            diff(Asset::Consumer, &object(json!({"ack_policy": "none"})), &object(json!({"ack_policy": "explicit"})));
        assert!(!changes[0].in_place);
    }
}
