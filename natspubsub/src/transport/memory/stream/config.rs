//! The configuration of a stream as the server completes and checks it. Pure.

use std::time::Duration;

use natspubsub_grammar::Pattern;
use serde_json::{Value, json};

use super::super::refuse::Refusal;
use crate::transport::port::{AssetConfig, config_text};

const SHORTEST: Duration = Duration::from_millis(100);
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// Numbers where nothing and everything below 1 say "no limit".
const LIMITS: [&str; 5] = ["max_consumers", "max_msgs", "max_bytes", "max_msgs_per_subject", "max_msg_size"];

/// What the server answers in full.
const FLAGS: [&str; 7] =
    ["allow_direct", "mirror_direct", "sealed", "deny_delete", "deny_purge", "allow_rollup_hdrs", "allow_msg_ttl"];

/// Flags that can be set and never taken back, with what the server says then.
const ONE_WAY: [(&str, &str); 5] = [
    ("sealed", "stream configuration update can not unseal a sealed stream"),
    ("deny_delete", "stream configuration update can not cancel deny message deletes"),
    ("deny_purge", "stream configuration update can not cancel deny purge"),
    ("allow_msg_ttl", "message TTL status can not be disabled"),
    ("allow_msg_schedules", "message schedules can not be disabled"),
];

pub(super) fn is_set(config: &AssetConfig, flag: &str) -> bool {
    config.get(flag) == Some(&Value::Bool(true))
}

/// A number above zero.
pub(in super::super) fn limit(config: &AssetConfig, field: &str) -> Option<u64> {
    config.get(field).and_then(Value::as_u64).filter(|limit| *limit > 0)
}

/// A time in nanoseconds.
pub(in super::super) fn nanos(config: &AssetConfig, field: &str) -> Duration {
    Duration::from_nanos(limit(config, field).unwrap_or(0))
}

fn number(config: &AssetConfig, field: &str) -> i64 {
    config.get(field).and_then(Value::as_i64).unwrap_or(0)
}

/// The texts of a field that is a list.
pub(in super::super) fn texts<'a>(config: &'a AssetConfig, field: &str) -> impl Iterator<Item = &'a str> {
    config.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The configuration with the server's defaults, or what the server does not accept in it.
pub(in super::super) fn completed(config: &AssetConfig) -> Result<AssetConfig, Refusal> {
    let mut all: AssetConfig = config.clone();
    all.retain(|_, value| !value.is_null());
    let name = config_text(config, "name").to_owned();
    let is_fed = ["mirror", "sources"].iter().any(|field| all.contains_key(*field));
    if texts(&all, "subjects").next().is_none() && !is_fed {
        all.insert("subjects".to_owned(), json!([name]));
    }
    for field in LIMITS {
        if limit(&all, field).is_none() {
            all.insert(field.to_owned(), json!(-1));
        }
    }
    for flag in FLAGS {
        all.entry(flag).or_insert(Value::Bool(false));
    }
    for (field, value) in [("retention", "limits"), ("discard", "old"), ("storage", "file"), ("compression", "none")] {
        all.entry(field).or_insert(json!(value));
    }
    for (field, value) in [("max_age", json!(0)), ("consumer_limits", json!({}))] {
        all.entry(field).or_insert(value);
    }
    if number(&all, "num_replicas") == 0 {
        all.insert("num_replicas".to_owned(), json!(1));
    }
    // A schedule replaces the one before it on its subject.
    if is_set(&all, "allow_msg_schedules") {
        all.insert("allow_rollup_hdrs".to_owned(), Value::Bool(true));
    }
    check_subjects(&all)?;
    check_times(&mut all)?;
    let per_subject = is_set(&all, "discard_new_per_subject");
    if per_subject && config_text(&all, "discard") != "new" {
        return Err(Refusal::stream("discard new per subject requires discard new policy to be set"));
    }
    if per_subject && limit(&all, "max_msgs_per_subject").is_none() {
        return Err(Refusal::stream("discard new per subject requires max msgs per subject > 0"));
    }
    Ok(all)
}

fn check_subjects(config: &AssetConfig) -> Result<(), Refusal> {
    let mut known: Vec<Pattern> = Vec::new();
    let api = Pattern::system("$JS.API.>").ok();
    for subject in texts(config, "subjects") {
        let pattern = Pattern::system(subject).map_err(|_| Refusal::stream("invalid subject"))?;
        if subject == ">" {
            return Err(Refusal::stream("capturing all subjects requires no-ack to be true"));
        }
        if api.as_ref().is_some_and(|api| api.overlaps(&pattern).is_some()) {
            return Err(Refusal::stream("subjects that overlap with jetstream api require no-ack to be true"));
        }
        if let Some(other) = known.iter().find(|other| other.overlaps(&pattern).is_some()) {
            return Err(Refusal::stream(format!("subject {:?} overlaps with {subject:?}", other.filter())));
        }
        known.push(pattern);
    }
    Ok(())
}

/// The window of message ids is two minutes, or as long as messages are kept.
fn check_times(config: &mut AssetConfig) -> Result<(), Refusal> {
    if number(config, "max_age") < 0 {
        return Err(Refusal::stream("max age can not be negative"));
    }
    if number(config, "duplicate_window") < 0 {
        return Err(Refusal::stream("duplicates window can not be negative"));
    }
    let (age, window) = (nanos(config, "max_age"), nanos(config, "duplicate_window"));
    if !age.is_zero() && age < SHORTEST {
        return Err(Refusal::stream("max age needs to be >= 100ms"));
    }
    if window.is_zero() {
        let window = if age.is_zero() { DUPLICATE_WINDOW } else { DUPLICATE_WINDOW.min(age) };
        config.insert("duplicate_window".to_owned(), json!(window.as_nanos() as u64));
    } else if window < SHORTEST {
        return Err(Refusal::stream("duplicates window needs to be >= 100ms"));
    } else if !age.is_zero() && window > age {
        return Err(Refusal::stream("duplicates window can not be larger then max age"));
    }
    Ok(())
}

/// What a new stream cannot be.
pub(super) fn check_new(config: &AssetConfig) -> Result<(), Refusal> {
    match is_set(config, "sealed") {
        true => Err(Refusal::stream("stream configuration for create can not be sealed")),
        false => Ok(()),
    }
}

/// Whether the server changes one completed configuration into another.
pub(super) fn check_update(from: &AssetConfig, to: &AssetConfig) -> Result<(), Refusal> {
    let differs = |field: &str| from.get(field) != to.get(field);
    if differs("storage") {
        return Err(Refusal::stream("stream configuration update can not change storage type"));
    }
    let is_queue = |config: &AssetConfig| config_text(config, "retention") == "workqueue";
    if is_queue(from) != is_queue(to) {
        let words = "stream configuration update can not change retention policy to/from workqueue";
        return Err(Refusal::stream(words));
    }
    if let Some((_, words)) = ONE_WAY.iter().find(|(flag, _)| is_set(from, flag) && !is_set(to, flag)) {
        return Err(Refusal::stream(*words));
    }
    if is_set(from, "allow_msg_counter") != is_set(to, "allow_msg_counter") {
        return Err(Refusal::stream("stream configuration update can not change message counter setting"));
    }
    Ok(())
}

/// What a stream that is sealed is besides.
pub(super) fn sealed(config: &mut AssetConfig) {
    if is_set(config, "sealed") {
        config.insert("discard".to_owned(), json!("new"));
        config.insert("deny_delete".to_owned(), Value::Bool(true));
        config.insert("deny_purge".to_owned(), Value::Bool(true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> AssetConfig {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_is_left_out_is_filled_in_as_the_server_does() {
        let all = completed(&object(json!({ "name": "LM", "subjects": ["l.a", "l.b"] }))).unwrap();
        let server = json!({
            "name": "LM", "subjects": ["l.a", "l.b"], "retention": "limits", "max_consumers": -1, "max_msgs": -1,
            "max_bytes": -1, "max_age": 0, "max_msgs_per_subject": -1, "max_msg_size": -1, "discard": "old",
            "storage": "file", "num_replicas": 1, "duplicate_window": 120_000_000_000_u64, "compression": "none",
            "allow_direct": false, "mirror_direct": false, "sealed": false, "deny_delete": false, "deny_purge": false,
            "allow_rollup_hdrs": false, "consumer_limits": {}, "allow_msg_ttl": false,
        });
        assert_eq!(Value::Object(all.clone()), server);
        assert_eq!(completed(&all).unwrap(), all, "completing twice changes nothing");
        let short = completed(&object(json!({ "name": "S", "max_age": 1_000_000_000 }))).unwrap();
        assert_eq!((&short["duplicate_window"], &short["subjects"]), (&json!(1_000_000_000), &json!(["S"])));
    }

    #[test]
    fn refusals_have_the_servers_words() {
        for (config, words) in [
            (json!({ "subjects": ["x.a", "x.*"] }), r#"subject "x.a" overlaps with "x.*""#),
            (json!({ "subjects": ["a..b"] }), "invalid subject"),
            (json!({ "subjects": [">"] }), "capturing all subjects requires no-ack to be true"),
            (json!({ "max_age": 2_592_000 }), "max age needs to be >= 100ms"),
            (json!({ "max_age": -1 }), "max age can not be negative"),
            (json!({ "duplicate_window": 1000 }), "duplicates window needs to be >= 100ms"),
            (
                json!({ "max_age": 1_000_000_000, "duplicate_window": 2_000_000_000_u64 }),
                "duplicates window can not be larger then max age",
            ),
            (
                json!({ "discard_new_per_subject": true }),
                "discard new per subject requires discard new policy to be set",
            ),
        ] {
            let mut config = object(config);
            config.insert("name".to_owned(), json!("S"));
            assert_eq!(completed(&config), Err(Refusal::stream(words)));
        }
    }

    #[test]
    fn what_cannot_be_changed_is_refused() {
        let of = |value: Value| completed(&object(value)).unwrap();
        let plain = of(json!({ "name": "S" }));
        for (from, to, refused) in [
            (json!({ "retention": "workqueue" }), json!({}), true),
            (json!({ "retention": "interest" }), json!({}), false),
            (json!({ "storage": "memory" }), json!({}), true),
            (json!({ "deny_delete": true }), json!({}), true),
            (json!({ "allow_msg_ttl": true }), json!({}), true),
            (json!({ "allow_atomic": true }), json!({}), false),
            (json!({}), json!({ "deny_purge": true, "max_age": 1_000_000_000 }), false),
        ] {
            let [from, to] = [from, to].map(|value| {
                let mut config = plain.clone();
                config.extend(object(value));
                config
            });
            assert_eq!(check_update(&from, &to).is_err(), refused, "{from:?} {to:?}");
        }
    }
}
