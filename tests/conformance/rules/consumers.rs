//! Goal: what a consumer may be, and what of it may change.

use serde_json::{Value, json};

use crate::broker::{Broker, S, consumer, ms, refused};

cases! {
    a_filter_outside_the_stream_is_fine,
    filters_of_one_consumer_that_overlap_are_refused,
    one_filter_and_many_are_refused,
    the_same_consumer_again_is_fine,
    another_consumer_of_the_name_is_refused,
    a_missing_consumer_cannot_be_updated,
    a_missing_stream_has_no_consumers,
    what_never_changes,
    what_may_change,
    an_update_resets_what_it_does_not_name,
    a_consumer_has_the_defaults_of_the_server,
    backoff_replaces_ack_wait,
    more_backoff_than_deliveries_is_refused,
    a_filter_that_widens_delivers_nothing_older,
    a_filter_that_narrows_counts_at_once,
    a_start_that_does_not_fit_its_policy_is_refused,
    consumers_are_listed,
}

async fn a_filter_outside_the_stream_is_fine(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.make_consumer("c", json!({ "filter_subject": "b.c" })).await;
    assert_eq!(broker.progress(S, "c").await.unwrap().unwrap().backlog, 0);
}

async fn filters_of_one_consumer_that_overlap_are_refused(broker: Broker) {
    broker.make_stream(json!({})).await;
    let overlapping = consumer("c", json!({ "filter_subjects": ["a.b", "a.*"] }));
    refused(broker.create_consumer(S, overlapping).await, 10138, "consumer subject filters cannot overlap");
}

async fn one_filter_and_many_are_refused(broker: Broker) {
    broker.make_stream(json!({})).await;
    let both = consumer("c", json!({ "filter_subject": "a.b", "filter_subjects": ["a.c"] }));
    // The filter is part of the subject of the request, as the server asks for.
    let words = "consumer with multiple subject filters cannot use subject based API";
    refused(broker.create_consumer(S, both).await, 10137, words);
}

async fn the_same_consumer_again_is_fine(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.put("a.b").await;
    assert_eq!(broker.taker("c", json!({ "ack_wait": ms(1_000) })).await.done().await, 1);
    let mut again = broker.taker("c", json!({ "ack_wait": ms(1_000) })).await;
    again.nothing().await;
}

async fn another_consumer_of_the_name_is_refused(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.make_consumer("c", json!({})).await;
    let other = consumer("c", json!({ "max_deliver": 7 }));
    refused(broker.create_consumer(S, other).await, 10148, "consumer already exists");
}

async fn a_missing_consumer_cannot_be_updated(broker: Broker) {
    broker.make_stream(json!({})).await;
    refused(broker.update_consumer(S, consumer("c", json!({}))).await, 10149, "consumer does not exist");
    broker.delete_consumer(S, "c").await.unwrap();
    assert_eq!((broker.consumer(S, "c").await, broker.progress(S, "c").await), (Ok(None), Ok(None)));
    assert_eq!(broker.consumer_state(S, "c").await, Ok(None));
}

async fn a_missing_stream_has_no_consumers(broker: Broker) {
    refused(broker.create_consumer(S, consumer("c", json!({}))).await, 10059, "stream not found");
    refused(broker.update_consumer(S, consumer("c", json!({}))).await, 10059, "stream not found");
    broker.delete_consumer(S, "c").await.unwrap();
    assert_eq!(broker.consumer(S, "c").await, Ok(None));
    assert_eq!(broker.consumers(S).await, Ok(Vec::new()));
}

async fn what_never_changes(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.make_consumer("c", json!({})).await;
    for fields in [
        json!({ "deliver_policy": "new" }),
        json!({ "deliver_policy": "by_start_sequence", "opt_start_seq": 3 }),
        json!({ "ack_policy": "none" }),
        json!({ "max_waiting": 7 }),
    ] {
        let fault = broker.update_consumer(S, consumer("c", fields.clone())).await.expect_err(&fields.to_string());
        assert_eq!(fault.code, Some(10012), "{fields}: {fault:?}");
    }
}

async fn what_may_change(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.make_consumer("c", json!({})).await;
    let changed = json!({ "ack_wait": ms(700), "max_deliver": 9, "max_ack_pending": 3, "filter_subject": "a.b",
        "description": "mine", "metadata": { "k": "v" } });
    broker.update_consumer(S, consumer("c", changed.clone())).await.unwrap();
    let config = broker.consumer(S, "c").await.unwrap().unwrap();
    for (field, value) in changed.as_object().unwrap().iter().filter(|(field, _)| *field != "metadata") {
        assert_eq!(&config[field], value, "{field}");
    }
    assert_eq!(config["metadata"]["k"], "v");
}

async fn an_update_resets_what_it_does_not_name(broker: Broker) {
    broker.make_stream(json!({})).await;
    let given = json!({ "ack_wait": ms(700), "max_deliver": 9, "max_ack_pending": 3, "filter_subject": "a.b",
        "description": "mine" });
    broker.make_consumer("c", given).await;
    broker.update_consumer(S, consumer("c", json!({}))).await.unwrap();
    let config = broker.consumer(S, "c").await.unwrap().unwrap();
    assert_eq!(
        json!([config["ack_wait"], config["max_deliver"], config["max_ack_pending"]]),
        json!([ms(30_000), -1, 1_000])
    );
    assert_eq!((&config["filter_subject"], &config["description"]), (&Value::Null, &Value::Null));
}

async fn a_consumer_has_the_defaults_of_the_server(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.make_consumer("c", json!({})).await;
    let config = broker.consumer(S, "c").await.unwrap().unwrap();
    let wanted = json!({ "durable_name": "c", "name": "c", "deliver_policy": "all", "ack_policy": "explicit",
        "ack_wait": ms(30_000), "max_deliver": -1, "replay_policy": "instant", "max_waiting": 512,
        "max_ack_pending": 1_000, "num_replicas": 0 });
    for (field, value) in wanted.as_object().unwrap() {
        assert_eq!(&config[field], value, "{field}");
    }
}

async fn backoff_replaces_ack_wait(broker: Broker) {
    broker.make_stream(json!({})).await;
    let backoff = [1_000, 5_000, 15_000, 30_000, 60_000];
    broker.make_consumer("c", json!({ "ack_wait": ms(30_000), "max_deliver": 5, "backoff": backoff })).await;
    let config = broker.consumer(S, "c").await.unwrap().unwrap();
    assert_eq!((&config["ack_wait"], &config["backoff"]), (&json!(1_000), &json!(backoff)));
}

async fn more_backoff_than_deliveries_is_refused(broker: Broker) {
    broker.make_stream(json!({})).await;
    let config = consumer("c", json!({ "max_deliver": 1, "backoff": [ms(100), ms(200)] }));
    let fault = broker.create_consumer(S, config).await.unwrap_err();
    assert_eq!(fault.code, Some(10116), "{fault:?}");
}

async fn a_filter_that_widens_delivers_nothing_older(broker: Broker) {
    broker.make_stream(json!({})).await;
    let mut c = broker.taker("c", json!({ "filter_subject": "a.b" })).await;
    for subject in ["a.c", "a.b", "a.c"] {
        broker.put(subject).await;
    }
    assert_eq!(c.all().await, [2]);
    broker.update_consumer(S, consumer("c", json!({ "filter_subject": "a.*" }))).await.unwrap();
    assert_eq!(broker.put("a.c").await, 4);
    let taken = c.all().await;
    assert!(taken == [4] || taken == [3, 4], "{taken:?}: never 1");
}

async fn a_filter_that_narrows_counts_at_once(broker: Broker) {
    broker.make_stream(json!({})).await;
    let mut c = broker.taker("c", json!({})).await;
    broker.update_consumer(S, consumer("c", json!({ "filter_subjects": ["a.b", "a.d"] }))).await.unwrap();
    for subject in ["a.b", "a.c", "a.d"] {
        broker.put(subject).await;
    }
    assert_eq!(c.all().await, [1, 3]);
}

async fn a_start_that_does_not_fit_its_policy_is_refused(broker: Broker) {
    broker.make_stream(json!({})).await;
    for fields in [
        json!({ "deliver_policy": "all", "opt_start_seq": 3 }),
        json!({ "deliver_policy": "by_start_sequence" }),
        json!({ "deliver_policy": "by_start_time" }),
        json!({ "deliver_policy": "new", "opt_start_time": "2026-01-02T03:04:05Z" }),
    ] {
        let fault = broker.create_consumer(S, consumer("c", fields.clone())).await.expect_err(&fields.to_string());
        assert_eq!(fault.code, Some(10094), "{fields}: {fault:?}");
    }
}

async fn consumers_are_listed(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.make_consumer("c", json!({})).await;
    broker.make_consumer("d", json!({ "filter_subject": "a.b" })).await;
    let mut listed = broker.consumers(S).await.unwrap();
    listed.sort_by(|one, other| one.name.cmp(&other.name));
    let names: Vec<&str> = listed.iter().map(|state| state.name.as_str()).collect();
    assert_eq!(names, ["c", "d"]);
    assert_eq!(listed[1].config["filter_subject"], "a.b");
    assert!(listed.iter().all(|state| (state.answered, state.unanswered, state.waiting) == (0, 0, 0)));
}
