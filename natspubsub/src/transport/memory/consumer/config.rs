//! The configuration of a consumer as the server completes and checks it. Pure.

use std::time::Duration;

use natspubsub_grammar::Pattern;
use serde_json::{Value, json};

use super::super::refuse::Refusal;
use super::super::stream::config::texts;
use crate::transport::port::{AssetConfig, config_text};

const ACK_WAIT: Duration = Duration::from_secs(30);
const EPHEMERAL_IDLE: Duration = Duration::from_secs(5);
const ACK_PENDING_MAX: i64 = 1_000;
const WAITING_MAX: i64 = 512;

/// Fields that keep their value for ever, with what the server says when they would not.
const FIXED: [(&str, &str); 8] = [
    ("deliver_subject", "can not update pull consumer to push based"),
    ("deliver_policy", "deliver policy can not be updated"),
    ("opt_start_seq", "start sequence can not be updated"),
    ("opt_start_time", "start time can not be updated"),
    ("ack_policy", "ack policy can not be updated"),
    ("replay_policy", "replay policy can not be updated"),
    ("max_waiting", "max waiting can not be updated"),
    ("mem_storage", "storage type can not be updated"),
];

fn number(config: &AssetConfig, field: &str) -> i64 {
    config.get(field).and_then(Value::as_i64).unwrap_or(0)
}

/// The subjects that a consumer reads; none is every one.
pub(in super::super) fn filters(config: &AssetConfig) -> impl Iterator<Item = &str> {
    let one = Some(config_text(config, "filter_subject")).filter(|filter| !filter.is_empty());
    texts(config, "filter_subjects").chain(one)
}

/// The configuration with the server's defaults, or what the server does not accept in it.
pub(in super::super) fn completed(config: &AssetConfig) -> Result<AssetConfig, Refusal> {
    let mut all: AssetConfig = config.clone();
    all.retain(|_, value| !value.is_null() && *value != json!([]) && *value != json!("") && *value != json!(false));
    for (field, value) in [("deliver_policy", "all"), ("ack_policy", "none"), ("replay_policy", "instant")] {
        all.entry(field).or_insert(json!(value));
    }
    check_durable(&all)?;
    check_pull(&all)?;
    complete_answers(&mut all)?;
    check_filters(&all)?;
    check_start(&all)?;
    for (field, default) in [("max_deliver", -1), ("max_waiting", WAITING_MAX)] {
        if number(&all, field) <= 0 {
            all.insert(field.to_owned(), json!(default));
        }
    }
    all.entry("num_replicas").or_insert(json!(0));
    if config_text(&all, "durable_name").is_empty() && number(&all, "inactive_threshold") <= 0 {
        all.insert("inactive_threshold".to_owned(), json!(EPHEMERAL_IDLE.as_nanos() as u64));
    }
    Ok(all)
}

fn check_durable(config: &AssetConfig) -> Result<(), Refusal> {
    let durable = config_text(config, "durable_name");
    match durable.is_empty() || durable == config_text(config, "name") {
        true => Ok(()),
        false => Err(Refusal::of(10017, "consumer name in subject does not match durable name in request")),
    }
}

fn check_pull(config: &AssetConfig) -> Result<(), Refusal> {
    let of_push = [
        ("idle_heartbeat", 10088, "consumer idle heartbeat requires a push based consumer"),
        ("flow_control", 10089, "consumer flow control requires a push based consumer"),
        ("rate_limit_bps", 10086, "consumer in pull mode can not have rate limit set"),
    ];
    let found = of_push.iter().find(|(field, ..)| config.get(*field).is_some_and(|value| *value != json!(0)));
    found.map_or(Ok(()), |(_, code, words)| Err(Refusal::of(*code, words)))
}

/// A list of waits replaces the one wait.
fn complete_answers(config: &mut AssetConfig) -> Result<(), Refusal> {
    if number(config, "ack_wait") < 0 {
        return Err(Refusal::of(10183, "consumer ack wait needs to be positive"));
    }
    let waits: Vec<i64> =
        config.get("backoff").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_i64).collect();
    if waits.iter().any(|wait| *wait < 0) {
        return Err(Refusal::of(10184, "consumer backoff needs to be positive"));
    }
    let deliveries = number(config, "max_deliver");
    if deliveries > 0 && waits.len() as i64 > deliveries {
        return Err(Refusal::of(10116, "max deliver is required to be > length of backoff values"));
    }
    if config_text(config, "ack_policy") == "none" {
        return Ok(());
    }
    if let Some(first) = waits.first() {
        config.insert("ack_wait".to_owned(), json!(first));
    } else if number(config, "ack_wait") == 0 {
        config.insert("ack_wait".to_owned(), json!(ACK_WAIT.as_nanos() as u64));
    }
    if number(config, "max_ack_pending") == 0 {
        config.insert("max_ack_pending".to_owned(), json!(ACK_PENDING_MAX));
    }
    Ok(())
}

fn check_filters(config: &AssetConfig) -> Result<(), Refusal> {
    let many: Vec<&str> = texts(config, "filter_subjects").collect();
    if !many.is_empty() && !config_text(config, "filter_subject").is_empty() {
        return Err(Refusal::of(10137, "consumer with multiple subject filters cannot use subject based API"));
    }
    if many.contains(&"") {
        return Err(Refusal::of(10139, "consumer filter in FilterSubjects cannot be empty"));
    }
    let mut known: Vec<Pattern> = Vec::new();
    for filter in filters(config) {
        let pattern = Pattern::system(filter).map_err(|_| Refusal::stream("invalid subject"))?;
        if known.iter().any(|other| other.overlaps(&pattern).is_some()) {
            return Err(Refusal::of(10138, "consumer subject filters cannot overlap"));
        }
        known.push(pattern);
    }
    Ok(())
}

fn check_start(config: &AssetConfig) -> Result<(), Refusal> {
    let policy = config_text(config, "deliver_policy");
    let words = match policy {
        "by_start_sequence" => "by start sequence".to_owned(),
        "by_start_time" => "by start time".to_owned(),
        other => other.replace('_', " "),
    };
    let refuse = |what: &str| {
        let words = format!("consumer delivery policy is deliver {words}, but optional {what}").into();
        Err(Refusal { code: 10094, words })
    };
    for (field, own, name) in
        [("opt_start_seq", "by_start_sequence", "start sequence"), ("opt_start_time", "by_start_time", "start time")]
    {
        let is_given = config.get(field).is_some_and(|value| *value != json!(0));
        match (is_given, policy == own) {
            (true, false) => return refuse(&format!("{name} is also set")),
            (false, true) => return refuse(&format!("{name} is not set")),
            _ => {}
        }
    }
    if policy == "last_per_subject" && filters(config).next().is_none() {
        return refuse("filter subject is not set");
    }
    Ok(())
}

/// What a work queue does not accept of a single consumer.
pub(in super::super) fn check_work_queue(config: &AssetConfig) -> Result<(), Refusal> {
    match config_text(config, "ack_policy") {
        "none" => {
            return Err(Refusal::of(10084, "consumer in pull mode requires explicit ack policy on workqueue stream"));
        }
        "explicit" => {}
        _ => return Err(Refusal::of(10098, "workqueue stream requires explicit ack")),
    }
    match config_text(config, "deliver_policy") {
        "all" => Ok(()),
        _ => Err(Refusal::of(10101, "consumer must be deliver all on workqueue stream")),
    }
}

/// Whether the server changes one completed configuration into another.
pub(super) fn check_update(from: &AssetConfig, to: &AssetConfig) -> Result<(), Refusal> {
    let changed = FIXED.iter().find(|(field, _)| from.get(*field) != to.get(*field));
    changed.map_or(Ok(()), |(_, words)| Err(Refusal::of(10012, words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> AssetConfig {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_is_left_out_is_filled_in_as_the_server_does() {
        let asked = json!({
            "name": "rb", "durable_name": "rb", "ack_policy": "explicit", "ack_wait": 30, "max_deliver": 5,
            "backoff": [1000, 5000, 15000, 30000, 60000], "filter_subject": "a.>",
        });
        let server = json!({
            "durable_name": "rb", "name": "rb", "deliver_policy": "all", "ack_policy": "explicit", "ack_wait": 1000,
            "max_deliver": 5, "backoff": [1000, 5000, 15000, 30000, 60000], "filter_subject": "a.>",
            "replay_policy": "instant", "max_waiting": 512, "max_ack_pending": 1000, "num_replicas": 0,
        });
        let all = completed(&object(asked)).unwrap();
        assert_eq!(Value::Object(all.clone()), server);
        assert_eq!(completed(&all).unwrap(), all, "completing twice changes nothing");
        let ephemeral = completed(&object(json!({ "name": "e", "ack_policy": "explicit" }))).unwrap();
        assert_eq!(ephemeral["inactive_threshold"], json!(5_000_000_000_u64));
        assert_eq!(ephemeral["ack_wait"], json!(30_000_000_000_u64));
    }

    #[test]
    fn refusals_have_the_servers_numbers() {
        for (config, code) in [
            (json!({ "filter_subjects": ["s.a", "s.*"] }), 10138),
            (json!({ "filter_subjects": ["s.a", "s.a"] }), 10138),
            (json!({ "filter_subjects": ["s.a"], "filter_subject": "s.b" }), 10137),
            (json!({ "filter_subjects": ["s.a", ""] }), 10139),
            (json!({ "filter_subjects": ["s..a"] }), 10052),
            (json!({ "backoff": [1, 2, 3], "max_deliver": 2 }), 10116),
            (json!({ "backoff": [-1] }), 10184),
            (json!({ "ack_wait": -1 }), 10183),
            (json!({ "deliver_policy": "by_start_sequence" }), 10094),
            (json!({ "deliver_policy": "by_start_time" }), 10094),
            (json!({ "opt_start_seq": 4 }), 10094),
            (json!({ "deliver_policy": "last_per_subject" }), 10094),
            (json!({ "durable_name": "other" }), 10017),
            (json!({ "flow_control": true }), 10089),
        ] {
            let mut config = object(config);
            config.insert("name".to_owned(), json!("c"));
            assert_eq!(completed(&config).map_err(|refusal| refusal.code), Err(code), "{config:?}");
        }
        let words = completed(&object(json!({ "name": "c", "deliver_policy": "new", "opt_start_seq": 4 })));
        let server = "consumer delivery policy is deliver new, but optional start sequence is also set";
        assert_eq!(words, Err(Refusal::of(10094, server)));
    }

    #[test]
    fn what_cannot_be_changed_is_refused() {
        let of = |value: Value| completed(&object(value)).unwrap();
        let plain = json!({ "name": "c", "durable_name": "c", "ack_policy": "explicit" });
        for (field, value, refused) in [
            ("deliver_policy", json!("new"), true),
            ("ack_policy", json!("none"), true),
            ("max_waiting", json!(7), true),
            ("mem_storage", json!(true), true),
            ("filter_subject", json!("a"), false),
            ("backoff", json!([1_000_000_000]), false),
            ("max_ack_pending", json!(7), false),
        ] {
            let mut changed = object(plain.clone());
            changed.insert(field.to_owned(), value);
            let checked = check_update(&of(plain.clone()), &of(Value::Object(changed)));
            assert_eq!(checked.is_err(), refused, "{field}");
        }
    }
}
