//! The streams that `#[stream]` declares: from what was written to the wanted configuration. Pure; collects every fault.

use std::collections::HashMap;

use natspubsub_grammar::format_duration;
use serde_json::{Value, json};

use super::plan::{nanos, object};
use crate::config::{Config, Storage, StreamSettings};
use crate::registry::{Origin, Registry, StreamDescriptor, StreamOptions};
use crate::subject::Namespace;
use crate::transport::{AssetConfig, config_text};

/// The wanted streams, each with the place of its declaration.
pub(super) fn declared(registry: &Registry, config: &Config, faults: &mut Vec<String>) -> Vec<(AssetConfig, Origin)> {
    let mut places: HashMap<&str, String> = HashMap::new();
    let mut streams = Vec::new();
    for StreamDescriptor { origin, options } in registry.streams.iter().copied() {
        let (place, name) = (origin.place(), options.name.unwrap_or_default());
        if own_names(&config.namespace).iter().any(|own| own == name) {
            faults.push(format!(
                "{place}: {}: the stream {name:?} is one that the application has without a declaration; choose another name",
                origin.name
            ));
        }
        if let Some(other) = places.insert(name, place.clone()) {
            faults.push(format!(
                "{place}: {}: the stream {name:?} is declared at {other} too; keep one of them",
                origin.name
            ));
        }
        match wanted(options, &config.stream) {
            Ok(wanted) => streams.push((wanted, *origin)),
            Err(fault) => faults.push(format!("{place}: {}: {fault}", origin.name)),
        }
    }
    streams.sort_by(|(left, _), (right, _)| config_text(left, "name").cmp(config_text(right, "name")));
    streams
}

/// The streams that an application has anyway.
fn own_names(namespace: &Namespace) -> [String; 4] {
    [namespace.stream(), namespace.dead_letter_stream(), namespace.release_stream(), namespace.advisory_stream()]
}

/// The configuration of one stream. What was not written and has no default here is not ours: it is never compared.
fn wanted(options: &StreamOptions, settings: &StreamSettings) -> Result<AssetConfig, String> {
    let max_age = options.max_age_ns.unwrap_or_else(|| nanos(settings.max_age));
    let fields = [
        ("name", json!(options.name)),
        ("subjects", json!(options.subjects)),
        ("retention", json!(options.retention.unwrap_or("limits"))),
        ("storage", json!(options.storage.unwrap_or_else(|| storage(settings)))),
        ("discard", json!(options.discard.unwrap_or("old"))),
        ("max_age", json!(max_age)),
        ("num_replicas", json!(options.replicas.unwrap_or(settings.replicas))),
        ("duplicate_window", json!(window(options, settings, max_age)?)),
        ("first_seq", json!(options.first_sequence)),
        ("description", json!(options.description)),
        ("max_msgs", json!(options.max_messages)),
        ("max_msgs_per_subject", json!(options.max_messages_per_subject)),
        ("max_bytes", json!(options.max_bytes)),
        ("max_msg_size", json!(options.max_message_size)),
        ("max_consumers", json!(options.max_consumers)),
        ("discard_new_per_subject", json!(options.discard_new_per_subject)),
        ("compression", json!(options.compression)),
        ("deny_delete", json!(options.deny_delete)),
        ("deny_purge", json!(options.deny_purge)),
        ("allow_rollup_hdrs", json!(options.allow_rollup)),
        ("allow_direct", json!(options.allow_direct)),
        ("allow_msg_ttl", json!(options.allow_message_ttl)),
        ("mirror", options.mirror.map_or(Value::Null, |name| json!({ "name": name }))),
        ("sources", json!(options.sources.map(|names| names.iter().map(named).collect::<Vec<_>>()))),
        ("subject_transform", mapping(options.transform)),
        ("republish", mapping(options.republish)),
        ("placement", placement(options)),
        ("metadata", options.metadata.map_or(Value::Null, pairs)),
    ];
    let written = fields.into_iter().filter(|(_, value)| !value.is_null());
    Ok(written.map(|(field, value)| (field.to_owned(), value)).collect())
}

fn storage(settings: &StreamSettings) -> &'static str {
    match settings.storage {
        Storage::File => "file",
        Storage::Memory => "memory",
    }
}

/// The server refuses a window that is longer than the age. A mirror looks for no duplicates.
fn window(options: &StreamOptions, settings: &StreamSettings, max_age: u64) -> Result<Option<u64>, String> {
    let longest = if max_age == 0 { u64::MAX } else { max_age };
    match options.duplicate_window_ns {
        _ if options.mirror.is_some() => Ok(None),
        None => Ok(Some(nanos(settings.duplicate_window).min(longest))),
        Some(window) if window <= longest => Ok(Some(window)),
        Some(window) => {
            let [window, age] = [window, max_age].map(|nanos| format_duration(std::time::Duration::from_nanos(nanos)));
            Err(format!(
                "duplicate_window {window} is longer than max_age {age}, which comes from stream_max_age; write max_age, or a shorter duplicate_window"
            ))
        }
    }
}

fn named(name: &&'static str) -> Value {
    json!({ "name": name })
}

fn mapping(mapping: Option<&'static [(&'static str, &'static str)]>) -> Value {
    let first = mapping.and_then(<[_]>::first);
    first.map_or(Value::Null, |(from, to)| json!({ "src": from, "dest": to }))
}

fn placement(options: &StreamOptions) -> Value {
    let fields = [("cluster", json!(options.placement_cluster)), ("tags", json!(options.placement_tags))];
    let written: AssetConfig = fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    if written.is_empty() { Value::Null } else { Value::Object(written) }
}

fn pairs(pairs: &[(&str, &str)]) -> Value {
    Value::Object(object(Value::Object(pairs.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect())))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings(max_age: u64) -> StreamSettings {
        let [max_age, duplicate_window] = [max_age, 120].map(Duration::from_secs);
        StreamSettings { storage: Storage::File, max_age, duplicate_window, replicas: 3 }
    }

    const PLAIN: StreamOptions =
        StreamOptions { name: Some("S"), subjects: Some(&["s.>"]), ..StreamOptions::UNWRITTEN };

    #[test]
    fn what_is_not_written_has_a_default_or_is_not_ours() {
        let expected = json!({
            "name": "S", "subjects": ["s.>"], "retention": "limits", "storage": "file", "discard": "old",
            "max_age": 3_600_000_000_000_u64, "num_replicas": 3, "duplicate_window": 120_000_000_000_u64,
        });
        assert_eq!(Value::Object(wanted(&PLAIN, &settings(3_600)).unwrap()), expected);
    }

    #[test]
    fn every_option_has_its_field() {
        let options = StreamOptions {
            first_sequence: Some(7),
            description: Some("d"),
            retention: Some("workqueue"),
            storage: Some("memory"),
            replicas: Some(1),
            max_age_ns: Some(0),
            max_messages: Some(1),
            max_messages_per_subject: Some(2),
            max_bytes: Some(3),
            max_message_size: Some(4),
            max_consumers: Some(5),
            discard: Some("new"),
            discard_new_per_subject: Some(true),
            duplicate_window_ns: Some(6),
            compression: Some("s2"),
            deny_delete: Some(true),
            deny_purge: Some(true),
            allow_rollup: Some(false),
            allow_direct: Some(true),
            allow_message_ttl: Some(true),
            sources: Some(&["A", "B"]),
            transform: Some(&[("s.*", "t.{{wildcard(1)}}")]),
            republish: Some(&[("s.>", "live.>")]),
            placement_cluster: Some("eu"),
            placement_tags: Some(&["ssd"]),
            metadata: Some(&[("team", "rides")]),
            ..PLAIN
        };
        let expected = json!({
            "name": "S", "subjects": ["s.>"], "retention": "workqueue", "storage": "memory", "discard": "new",
            "max_age": 0, "num_replicas": 1, "duplicate_window": 6, "first_seq": 7, "description": "d", "max_msgs": 1,
            "max_msgs_per_subject": 2, "max_bytes": 3, "max_msg_size": 4, "max_consumers": 5,
            "discard_new_per_subject": true, "compression": "s2", "deny_delete": true, "deny_purge": true,
            "allow_rollup_hdrs": false, "allow_direct": true, "allow_msg_ttl": true,
            "sources": [{ "name": "A" }, { "name": "B" }],
            "subject_transform": { "src": "s.*", "dest": "t.{{wildcard(1)}}" },
            "republish": { "src": "s.>", "dest": "live.>" },
            "placement": { "cluster": "eu", "tags": ["ssd"] }, "metadata": { "team": "rides" },
        });
        assert_eq!(Value::Object(wanted(&options, &settings(3_600)).unwrap()), expected);
    }

    #[test]
    fn the_duplicate_window_is_never_longer_than_the_age() {
        let window = |options: StreamOptions, max_age| {
            wanted(&options, &settings(max_age)).map(|wanted| wanted.get("duplicate_window").and_then(Value::as_u64))
        };
        assert_eq!(window(PLAIN, 60), Ok(Some(60_000_000_000)));
        assert_eq!(window(PLAIN, 0), Ok(Some(120_000_000_000)), "for ever");
        let hour = StreamOptions { duplicate_window_ns: Some(3_600_000_000_000), ..PLAIN };
        assert_eq!(window(hour, 3_600), Ok(Some(3_600_000_000_000)));
        assert!(window(hour, 60).unwrap_err().contains("1h is longer than max_age 1m"), "{:?}", window(hour, 60));
        let mirror = StreamOptions { mirror: Some("O"), subjects: None, ..PLAIN };
        assert_eq!(window(mirror, 60), Ok(None));
    }
}
