//! Goal: when a stream lets go of a message.

use serde_json::json;

use crate::broker::{Broker, S};

cases! {
    limits_keep_what_is_answered,
    interest_without_a_consumer_keeps_nothing,
    interest_keeps_until_all_have_answered,
    interest_counts_only_who_reads_the_subject,
    a_consumer_that_goes_takes_its_interest_with_it,
    a_work_queue_lets_go_of_what_is_answered,
    a_work_queue_keeps_what_was_delivered_too_often,
    ending_a_message_releases_it,
}

async fn limits_keep_what_is_answered(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.put("a.b").await;
    assert_eq!(broker.taker("c", json!({})).await.done().await, 1);
    assert_eq!(broker.held().await, [1]);
}

async fn interest_without_a_consumer_keeps_nothing(broker: Broker) {
    broker.make_stream(json!({ "retention": "interest" })).await;
    assert_eq!(broker.put("a.b").await, 1, "it is confirmed all the same");
    broker.wait_for(&[]).await;
    broker.make_consumer("c", json!({})).await;
    assert_eq!(broker.put("a.b").await, 2);
    assert_eq!(broker.held().await, [2]);
}

async fn interest_keeps_until_all_have_answered(broker: Broker) {
    broker.make_stream(json!({ "retention": "interest" })).await;
    let (mut c, mut d) = (broker.taker("c", json!({})).await, broker.taker("d", json!({})).await);
    broker.put("a.b").await;
    assert_eq!(c.done().await, 1);
    assert_eq!(broker.held().await, [1]);
    assert_eq!(d.done().await, 1);
    broker.wait_for(&[]).await;
}

async fn interest_counts_only_who_reads_the_subject(broker: Broker) {
    broker.make_stream(json!({ "retention": "interest" })).await;
    let mut b = broker.taker("b", json!({ "filter_subject": "a.b" })).await;
    let mut c = broker.taker("c", json!({ "filter_subject": "a.c" })).await;
    for subject in ["a.b", "a.c", "a.d"] {
        broker.put(subject).await;
    }
    broker.wait_for(&[1, 2]).await;
    assert_eq!(b.done().await, 1);
    broker.wait_for(&[2]).await;
    assert_eq!(c.done().await, 2);
    broker.wait_for(&[]).await;
}

async fn a_consumer_that_goes_takes_its_interest_with_it(broker: Broker) {
    broker.make_stream(json!({ "retention": "interest" })).await;
    let mut c = broker.taker("c", json!({})).await;
    broker.make_consumer("d", json!({})).await;
    broker.put("a.b").await;
    broker.put("a.b").await;
    assert_eq!(c.done().await, 1);
    assert_eq!(broker.held().await, [1, 2]);
    broker.delete_consumer(S, "d").await.unwrap();
    broker.wait_for(&[2]).await;
}

async fn a_work_queue_lets_go_of_what_is_answered(broker: Broker) {
    broker.make_stream(json!({ "retention": "workqueue" })).await;
    broker.put("a.b").await;
    broker.put("a.b").await;
    assert_eq!(broker.held().await, [1, 2], "it waits for a consumer");
    assert_eq!(broker.taker("c", json!({})).await.done().await, 1);
    broker.wait_for(&[2]).await;
}

async fn a_work_queue_keeps_what_was_delivered_too_often(broker: Broker) {
    broker.make_stream(json!({ "retention": "workqueue" })).await;
    broker.put("a.b").await;
    let mut c = broker.taker("c", json!({ "max_deliver": 1 })).await;
    broker.nak(&c.take().await, std::time::Duration::ZERO).await.unwrap();
    c.nothing().await;
    assert_eq!(broker.held().await, [1], "invisible");
}

async fn ending_a_message_releases_it(broker: Broker) {
    broker.make_stream(json!({ "retention": "workqueue" })).await;
    broker.put("a.b").await;
    let mut c = broker.taker("c", json!({})).await;
    broker.term(&c.take().await).await.unwrap();
    broker.wait_for(&[]).await;
}
