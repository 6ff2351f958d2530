//! Goal: what a stream does when it is full.

use serde_json::json;

use crate::broker::{Broker, S, consumer, ms, refused, rejected, stream};

cases! {
    discard_old,
    discard_new,
    discard_new_takes_again_when_there_is_room,
    discard_old_by_size,
    discard_new_by_size,
    the_last_of_each_subject,
    discard_new_of_each_subject,
    discard_new_of_each_subject_needs_a_limit,
    messages_too_large_are_refused,
    messages_grow_old,
    a_smaller_limit_counts_at_once,
    consumers_have_a_limit,
    a_refused_message_is_no_duplicate_later,
}

const FULL: &str = "maximum messages exceeded";

async fn discard_old(broker: Broker) {
    broker.make_stream(json!({ "max_msgs": 2 })).await;
    for number in 1..=4 {
        assert_eq!(broker.put("a.b").await, number);
    }
    assert_eq!(broker.held().await, [3, 4]);
}

async fn discard_new(broker: Broker) {
    broker.make_stream(json!({ "max_msgs": 2, "discard": "new" })).await;
    broker.put("a.b").await;
    broker.put("a.b").await;
    rejected(broker.put_with("a.b", "x", "y").await, 10077, FULL);
    assert_eq!(broker.held().await, [1, 2]);
}

async fn discard_new_takes_again_when_there_is_room(broker: Broker) {
    broker.make_stream(json!({ "max_msgs": 1, "discard": "new" })).await;
    broker.put("a.b").await;
    rejected(broker.put_with("a.b", "x", "y").await, 10077, FULL);
    broker.delete_message(S, 1).await.unwrap();
    assert_eq!(broker.put("a.b").await, 2, "a refused message has no number");
}

async fn discard_old_by_size(broker: Broker) {
    broker.make_stream(json!({ "max_bytes": 3_000 })).await;
    for _ in 0..5 {
        broker.publish("a.b", &[], &[b'x'; 1_000]).await.unwrap();
    }
    let held = broker.held().await;
    assert!((2..=3).contains(&held.len()) && held.ends_with(&[4, 5]), "{held:?}");
}

async fn discard_new_by_size(broker: Broker) {
    broker.make_stream(json!({ "max_bytes": 2_500, "discard": "new" })).await;
    broker.publish("a.b", &[], &[b'x'; 1_000]).await.unwrap();
    broker.publish("a.b", &[], &[b'x'; 1_000]).await.unwrap();
    rejected(broker.publish("a.b", &[], &[b'x'; 1_000]).await, 10077, "maximum bytes exceeded");
    assert_eq!(broker.held().await, [1, 2]);
}

async fn the_last_of_each_subject(broker: Broker) {
    broker.make_stream(json!({ "max_msgs_per_subject": 1 })).await;
    for subject in ["a.b", "a.c", "a.b", "a.b"] {
        broker.put(subject).await;
    }
    assert_eq!(broker.held().await, [2, 4]);
}

async fn discard_new_of_each_subject(broker: Broker) {
    let fields = json!({ "max_msgs_per_subject": 1, "discard": "new", "discard_new_per_subject": true });
    broker.make_stream(fields).await;
    broker.put("a.b").await;
    broker.put("a.c").await;
    rejected(broker.put_with("a.b", "x", "y").await, 10077, "maximum messages per subject exceeded");
    assert_eq!(broker.held().await, [1, 2]);
}

async fn discard_new_of_each_subject_needs_a_limit(broker: Broker) {
    let fields = json!({ "discard": "new", "discard_new_per_subject": true });
    let fault = broker.create_stream(stream(fields)).await.unwrap_err();
    assert_eq!(fault.code, Some(10052), "{fault:?}");
}

async fn messages_too_large_are_refused(broker: Broker) {
    broker.make_stream(json!({ "max_msg_size": 100 })).await;
    broker.publish("a.b", &[], &[b'x'; 100]).await.unwrap();
    rejected(broker.publish("a.b", &[], &[b'x'; 101]).await, 10054, "message size exceeds maximum allowed");
    let header = broker.publish("a.b", &[("x", "y")], &[b'x'; 100]).await;
    rejected(header, 10054, "message size exceeds maximum allowed");
    assert_eq!(broker.held().await, [1]);
}

async fn messages_grow_old(broker: Broker) {
    broker.make_stream(json!({ "max_age": ms(400) })).await;
    broker.put("a.b").await;
    broker.put("a.b").await;
    assert_eq!(broker.held().await, [1, 2]);
    broker.wait_for(&[]).await;
    assert_eq!(broker.put("a.b").await, 3);
}

async fn a_smaller_limit_counts_at_once(broker: Broker) {
    broker.make_stream(json!({})).await;
    for _ in 0..4 {
        broker.put("a.b").await;
    }
    broker.update_stream(stream(json!({ "max_msgs": 2 }))).await.unwrap();
    broker.wait_for(&[3, 4]).await;
}

async fn consumers_have_a_limit(broker: Broker) {
    broker.make_stream(json!({ "max_consumers": 1 })).await;
    broker.make_consumer("c", json!({})).await;
    broker.make_consumer("c", json!({})).await;
    refused(broker.create_consumer(S, consumer("d", json!({}))).await, 10026, "maximum consumers limit reached");
}

async fn a_refused_message_is_no_duplicate_later(broker: Broker) {
    broker.make_stream(json!({ "max_msgs": 1, "discard": "new" })).await;
    broker.put("a.b").await;
    rejected(broker.put_with("a.b", "Nats-Msg-Id", "1").await, 10077, FULL);
    broker.delete_message(S, 1).await.unwrap();
    let stored = broker.put_with("a.b", "Nats-Msg-Id", "1").await.unwrap();
    assert_eq!((stored.sequence, stored.duplicate), (2, false));
}
