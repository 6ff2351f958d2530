//! Goal: what a stream may be, and what of it may change.

use natspubsub::__port::FaultKind;
use serde_json::{Value, json};

use crate::broker::{Broker, S, ms, refused, stream};

cases! {
    overlapping_subjects_are_refused,
    an_update_to_overlapping_subjects_is_refused,
    overlapping_subjects_of_one_stream_are_refused,
    the_same_stream_again_is_fine,
    another_stream_of_the_name_is_refused,
    a_missing_stream_cannot_be_updated,
    retention_never_changes_to_a_work_queue,
    limits_and_interest_change_into_each_other,
    storage_never_changes,
    an_update_resets_what_it_does_not_name,
    a_stream_has_the_defaults_of_the_server,
    times_are_nanoseconds,
    streams_are_found_by_their_subjects,
    a_stream_that_is_made_again_counts_from_one,
    deleting_what_may_not_be_deleted_is_refused,
    a_sealed_stream_takes_nothing,
    subjects_that_are_added_and_taken_away_count_at_once,
}

async fn overlapping_subjects_are_refused(broker: Broker) {
    broker.make_stream(json!({})).await;
    for subject in ["a.b", "a.*", "a.*.c", "a.>"] {
        let other = stream(json!({ "name": "T", "subjects": [subject] }));
        refused(broker.create_stream(other).await, 10065, "subjects overlap with an existing stream");
    }
    for subject in ["a", "b.>"] {
        let name = format!("T{}", subject.len());
        broker.create_stream(stream(json!({ "name": name, "subjects": [subject] }))).await.unwrap();
    }
}

async fn an_update_to_overlapping_subjects_is_refused(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.create_stream(stream(json!({ "name": "T", "subjects": ["b.>"] }))).await.unwrap();
    let wider = stream(json!({ "name": "T", "subjects": ["b.>", "a.c"] }));
    refused(broker.update_stream(wider).await, 10065, "subjects overlap with an existing stream");
    assert_eq!(broker.stream("T").await.unwrap().unwrap()["subjects"], json!(["b.>"]), "nothing has changed");
}

async fn overlapping_subjects_of_one_stream_are_refused(broker: Broker) {
    let fault = broker.create_stream(stream(json!({ "subjects": ["a.>", "a.b"] }))).await.unwrap_err();
    assert_eq!(fault.code, Some(10052), "{fault:?}");
}

async fn the_same_stream_again_is_fine(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.put("a.b").await;
    broker.make_stream(json!({})).await;
    assert_eq!(broker.held().await, [1]);
}

async fn another_stream_of_the_name_is_refused(broker: Broker) {
    broker.make_stream(json!({})).await;
    let other = broker.create_stream(stream(json!({ "max_msgs": 7 }))).await;
    refused(other, 10058, "stream name already in use");
}

async fn a_missing_stream_cannot_be_updated(broker: Broker) {
    refused(broker.update_stream(stream(json!({}))).await, 10059, "stream not found");
    assert_eq!(broker.stream(S).await, Ok(None));
    assert_eq!(broker.put_with("a.b", "x", "y").await.unwrap_err().kind, FaultKind::NoStream);
}

async fn retention_never_changes_to_a_work_queue(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.create_stream(stream(json!({ "name": "W", "subjects": ["w"], "retention": "workqueue" }))).await.unwrap();
    let words = "stream configuration update can not change retention policy to/from workqueue";
    refused(broker.update_stream(stream(json!({ "retention": "workqueue" }))).await, 10052, words);
    // As an update that does not name the retention.
    refused(broker.update_stream(stream(json!({ "name": "W", "subjects": ["w"] }))).await, 10052, words);
}

async fn limits_and_interest_change_into_each_other(broker: Broker) {
    broker.make_stream(json!({})).await;
    for retention in ["interest", "limits"] {
        broker.update_stream(stream(json!({ "retention": retention }))).await.unwrap();
        assert_eq!(broker.stream(S).await.unwrap().unwrap()["retention"], retention);
    }
}

async fn storage_never_changes(broker: Broker) {
    broker.make_stream(json!({})).await;
    let file = broker.update_stream(stream(json!({ "storage": "file" }))).await;
    refused(file, 10052, "stream configuration update can not change storage type");
}

async fn an_update_resets_what_it_does_not_name(broker: Broker) {
    let given = json!({ "max_msgs": 100, "max_age": ms(60_000), "max_msg_size": 1_000, "description": "mine",
        "discard": "new", "duplicate_window": ms(1_000), "max_msgs_per_subject": 3, "metadata": { "k": "v" } });
    broker.make_stream(given).await;
    broker.update_stream(stream(json!({ "subjects": ["a.>", "b"] }))).await.unwrap();
    let config = broker.stream(S).await.unwrap().unwrap();
    let wanted = json!({ "subjects": ["a.>", "b"], "max_msgs": -1, "max_age": 0, "max_msg_size": -1, "discard": "old",
        "duplicate_window": 120_000_000_000_u64, "max_msgs_per_subject": -1 });
    for (field, value) in wanted.as_object().unwrap() {
        assert_eq!(&config[field], value, "{field}");
    }
    assert_eq!((&config["description"], &config["metadata"]["k"]), (&Value::Null, &Value::Null));
}

async fn a_stream_has_the_defaults_of_the_server(broker: Broker) {
    broker.make_stream(json!({})).await;
    let config = broker.stream(S).await.unwrap().unwrap();
    let wanted = json!({ "name": S, "subjects": ["a.>"], "retention": "limits", "max_consumers": -1, "max_msgs": -1,
        "max_bytes": -1, "max_age": 0, "max_msgs_per_subject": -1, "max_msg_size": -1, "discard": "old",
        "storage": "memory", "num_replicas": 1, "duplicate_window": 120_000_000_000_u64, "allow_direct": false,
        "mirror_direct": false, "sealed": false, "deny_delete": false, "deny_purge": false,
        "allow_rollup_hdrs": false });
    for (field, value) in wanted.as_object().unwrap() {
        assert_eq!(&config[field], value, "{field}");
    }
}

async fn times_are_nanoseconds(broker: Broker) {
    // 30 days in seconds.
    let seconds = broker.create_stream(stream(json!({ "max_age": 2_592_000 }))).await;
    refused(seconds, 10052, "max age needs to be >= 100ms");
    broker.make_stream(json!({ "max_age": ms(100) })).await;
    broker.put("a.b").await;
    broker.wait_for(&[]).await;
}

async fn streams_are_found_by_their_subjects(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.create_stream(stream(json!({ "name": "T", "subjects": ["b.*", "c"] }))).await.unwrap();
    for (subject, streams) in
        [("a.b", vec![S]), ("a.>", vec![S]), ("b.x", vec!["T"]), ("*.x", vec![S, "T"]), ("d", vec![]), ("c", vec!["T"])]
    {
        let mut found = broker.streams_on(subject).await.unwrap();
        found.sort();
        assert_eq!(found, streams, "{subject}");
    }
}

async fn a_stream_that_is_made_again_counts_from_one(broker: Broker) {
    assert_eq!(broker.stream_made_at(S).await, Ok(None));
    broker.make_stream(json!({})).await;
    let first = broker.stream_made_at(S).await.unwrap().unwrap();
    broker.make_consumer("c", json!({})).await;
    broker.put("a.b").await;
    assert_eq!(broker.put("a.b").await, 2);
    broker.delete_stream(S).await.unwrap();
    broker.delete_stream(S).await.unwrap();
    assert_eq!((broker.stream(S).await, broker.consumer(S, "c").await), (Ok(None), Ok(None)));
    broker.make_stream(json!({})).await;
    assert_eq!(broker.put("a.b").await, 1);
    assert!(broker.stream_made_at(S).await.unwrap().unwrap() > first);
    assert_eq!(broker.consumers(S).await.unwrap(), []);
}

async fn deleting_what_may_not_be_deleted_is_refused(broker: Broker) {
    broker.make_stream(json!({ "deny_delete": true, "deny_purge": true })).await;
    broker.put("a.b").await;
    let fault = broker.delete_message(S, 1).await.unwrap_err();
    assert_eq!(fault.code, Some(10057), "{fault:?}");
    let fault = broker.purge(S, "a.b").await.unwrap_err();
    assert_eq!(fault.code, Some(10110), "{fault:?}");
    let fault = broker.update_stream(stream(json!({}))).await.unwrap_err();
    assert_eq!(fault.code, Some(10052), "{fault:?}");
    assert_eq!(broker.held().await, [1]);
}

async fn a_sealed_stream_takes_nothing(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.put("a.b").await;
    broker.update_stream(stream(json!({ "sealed": true }))).await.unwrap();
    crate::broker::rejected(broker.put_with("a.b", "x", "y").await, 10109, "stream");
    assert_eq!(broker.held().await, [1]);
}

async fn subjects_that_are_added_and_taken_away_count_at_once(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.put("a.b").await;
    assert_eq!(broker.put_with("b", "x", "y").await.unwrap_err().kind, FaultKind::NoStream);
    broker.update_stream(stream(json!({ "subjects": ["b"] }))).await.unwrap();
    assert_eq!(broker.put("b").await, 2);
    assert_eq!(broker.put_with("a.b", "x", "y").await.unwrap_err().kind, FaultKind::NoStream);
    assert_eq!(broker.held().await, [1, 2], "what was stored stays");
}
