//! Streams and consumers: what is refused besides what their configuration says alone.

use serde_json::json;

use super::super::{connect, names};
use super::*;

#[test]
fn streams_are_equal_or_refused() {
    let desk = Desk::with(json!({}));
    let create = |config: Value| code(desk.broker.create_stream(&object(config)));
    let update = |config: Value| code(desk.broker.update_stream(&object(config)));
    assert_eq!(create(json!({ "name": "S", "subjects": ["s.>"], "storage": "file" })), 0, "a default says the same");
    assert_eq!(create(json!({ "name": "S", "subjects": ["s.>"], "max_msgs": 3 })), 10058);
    assert_eq!(create(json!({ "name": "B", "subjects": ["s.b"] })), 10065);
    assert_eq!(create(json!({ "name": "B", "subjects": ["b.>"], "sealed": true })), 10052);
    assert_eq!(create(json!({ "name": "B", "subjects": ["b.>"] })), 0);
    assert_eq!(update(json!({ "name": "B", "subjects": ["b.>", "s.x"] })), 10065);
    assert_eq!(update(json!({ "name": "Z", "subjects": ["z"] })), 10059);
    assert_eq!(update(json!({ "name": "S", "subjects": ["s.>"], "retention": "workqueue" })), 10052);
    let error = desk.broker.update_stream(&object(json!({ "name": "Z" }))).unwrap_err();
    assert_eq!(error.to_string(), "the server refused STREAM.UPDATE.Z: stream not found (10059)");
    assert_eq!(desk.broker.streams_on("*.x"), ["B", "S"]);
}

#[test]
fn a_partial_update_resets_the_other_fields() {
    let desk = Desk::with(json!({ "max_msgs": 3, "max_age": nanos(SECOND), "description": "d" }));
    desk.broker.update_stream(&object(json!({ "name": "S", "subjects": ["s.>", "t"] }))).unwrap();
    let config = desk.broker.stream("S").unwrap();
    let found = ["max_msgs", "max_age", "duplicate_window"].map(|field| config[field].clone());
    assert_eq!(found, [json!(-1), json!(0), json!(120_000_000_000_u64)]);
    assert!(!config.contains_key("description"));
    desk.consumer("c", json!({ "max_ack_pending": 7, "filter_subject": "s.a" }));
    assert_eq!(desk.update_consumer("c", json!({})), 0);
    let config = desk.broker.consumer("S", "c").unwrap();
    assert_eq!((&config["max_ack_pending"], config.contains_key("filter_subject")), (&json!(1000), false));
}

#[test]
fn consumers_are_equal_or_refused() {
    let desk = Desk::with(json!({ "max_consumers": 1 }));
    assert_eq!(desk.update_consumer("c", json!({})), 10149);
    assert_eq!(desk.try_consumer("c", json!({ "filter_subject": "elsewhere.>" })), 0, "a filter may lie outside");
    assert_eq!(desk.try_consumer("c", json!({ "filter_subject": "elsewhere.>", "max_waiting": 512 })), 0);
    assert_eq!(desk.try_consumer("c", json!({})), 10148);
    assert_eq!(desk.try_consumer("d", json!({})), 10026);
    assert_eq!(desk.update_consumer("c", json!({ "deliver_policy": "new" })), 10012);
    let nowhere = desk.broker.create_consumer("none", &Desk::consumer_config("c", json!({})));
    assert_eq!(code(nowhere), 10059);
}

#[test]
fn a_work_queue_has_one_consumer_for_each_message() {
    let queue = || Desk::with(json!({ "retention": "workqueue" }));
    let desk = queue();
    assert_eq!(desk.try_consumer("a", json!({ "filter_subject": "s.a" })), 0);
    for (config, code) in [
        (json!({ "filter_subject": "s.*" }), 10100),
        (json!({ "filter_subjects": ["s.b", "s.a"] }), 10100),
        (json!({}), 10099),
        (json!({ "filter_subject": "s.c", "deliver_policy": "new" }), 10101),
        (json!({ "filter_subject": "s.c", "ack_policy": "none" }), 10084),
        (json!({ "filter_subject": "s.c", "ack_policy": "all" }), 10098),
    ] {
        assert_eq!(desk.try_consumer("b", config.clone()), code, "{config}");
    }
    assert_eq!(desk.try_consumer("b", json!({ "filter_subject": "s.b" })), 0);
    assert_eq!(desk.update_consumer("b", json!({ "filter_subject": "s.a" })), 10100);
    let unfiltered = queue();
    assert_eq!(unfiltered.try_consumer("a", json!({})), 0);
    assert_eq!(unfiltered.try_consumer("b", json!({})), 10099);
    assert_eq!(unfiltered.try_consumer("b", json!({ "filter_subject": "s.a" })), 10100);
}

#[test]
fn a_broker_to_which_nobody_is_connected_is_forgotten() {
    let clock: crate::clock::SharedClock = TestClock::new();
    let kept = connect("forgotten-kept", &clock);
    for number in 0..10 {
        drop(connect(&format!("forgotten-{number}"), &clock));
    }
    let again = connect("forgotten-kept", &clock);
    let own: Vec<String> = names().into_iter().filter(|name| name.starts_with("forgotten-")).collect();
    assert_eq!(own, ["forgotten-kept"]);
    drop((kept, again));
}
