//! Goal: what becomes of an answer that comes late, twice or to nobody.

use std::time::Duration;

use serde_json::{Value, json};

use natspubsub::__port::Delivery;

use crate::broker::{Broker, S, ms};
use crate::taker::Taker;

cases! {
    a_stale_acknowledgement_counts,
    a_stale_nak_delivers_once_more,
    a_stale_term_ends_the_message,
    a_stale_in_progress_counts,
    a_second_acknowledgement_is_confirmed,
    a_nak_after_the_acknowledgement_does_nothing,
    a_deleted_consumer_confirms_nothing,
    an_answer_to_a_deleted_consumer_is_no_error,
    answers_in_any_order,
    the_state_tells_what_is_answered,
}

/// Two deliveries of one message, the second one under way.
async fn twice(broker: &Broker, fields: Value) -> (Taker, Delivery, Delivery) {
    broker.make_stream(json!({})).await;
    broker.put("a.b").await;
    let mut c = broker.taker("c", fields).await;
    let (first, second) = (c.take().await, c.take().await);
    assert_eq!((first.deliveries, second.deliveries), (1, 2));
    (c, first, second)
}

async fn a_stale_acknowledgement_counts(broker: Broker) {
    let (mut c, first, _second) = twice(&broker, json!({ "ack_wait": ms(400) })).await;
    broker.confirm(&first).await.unwrap();
    assert!(c.within(Duration::from_millis(700)).await.is_none());
    assert_eq!(broker.consumer_state(S, "c").await.unwrap().unwrap().answered, 1);
}

async fn a_stale_nak_delivers_once_more(broker: Broker) {
    let (mut c, first, second) = twice(&broker, json!({ "ack_wait": ms(600) })).await;
    broker.nak(&first, Duration::ZERO).await.unwrap();
    let third = c.within(Duration::from_millis(300)).await.expect("at once, while the second one is under way");
    assert_eq!(third.deliveries, 3);
    broker.confirm(&second).await.unwrap();
    assert!(c.within(Duration::from_millis(900)).await.is_none());
}

async fn a_stale_term_ends_the_message(broker: Broker) {
    let (mut c, first, _second) = twice(&broker, json!({ "ack_wait": ms(400) })).await;
    broker.term(&first).await.unwrap();
    assert!(c.within(Duration::from_millis(700)).await.is_none());
}

async fn a_stale_in_progress_counts(broker: Broker) {
    let (mut c, first, _second) = twice(&broker, json!({ "ack_wait": ms(400) })).await;
    for _ in 0..4 {
        assert!(c.within(Duration::from_millis(200)).await.is_none());
        broker.in_progress(&first).await.unwrap();
    }
    assert_eq!(c.take().await.deliveries, 3);
}

async fn a_second_acknowledgement_is_confirmed(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.put("a.b").await;
    let delivery = broker.taker("c", json!({})).await.take().await;
    broker.confirm(&delivery).await.unwrap();
    broker.confirm(&delivery).await.unwrap();
}

async fn a_nak_after_the_acknowledgement_does_nothing(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.put("a.b").await;
    let mut c = broker.taker("c", json!({})).await;
    let delivery = c.take().await;
    broker.confirm(&delivery).await.unwrap();
    broker.nak(&delivery, Duration::ZERO).await.unwrap();
    c.nothing().await;
}

async fn a_deleted_consumer_confirms_nothing(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.put("a.b").await;
    let delivery = broker.taker("c", json!({})).await.take().await;
    broker.delete_consumer(S, "c").await.unwrap();
    let fault = broker.confirm(&delivery).await.unwrap_err();
    assert!(fault.text.contains("acknowledgement"), "{fault:?}");
}

async fn an_answer_to_a_deleted_consumer_is_no_error(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.put("a.b").await;
    let delivery = broker.taker("c", json!({})).await.take().await;
    broker.delete_consumer(S, "c").await.unwrap();
    broker.ack(&delivery).await.unwrap();
    broker.nak(&delivery, Duration::ZERO).await.unwrap();
    broker.term(&delivery).await.unwrap();
}

async fn answers_in_any_order(broker: Broker) {
    broker.make_stream(json!({})).await;
    let mut c = broker.taker("c", json!({})).await;
    let mut taken = Vec::new();
    for _ in 0..4 {
        broker.put("a.b").await;
        taken.push(c.take().await);
    }
    for (answered, index) in [(0, 2), (0, 1), (3, 0), (4, 3)] {
        broker.confirm(&taken[index]).await.unwrap();
        assert_eq!(broker.progress(S, "c").await.unwrap().unwrap().answered, answered);
    }
}

async fn the_state_tells_what_is_answered(broker: Broker) {
    broker.make_stream(json!({})).await;
    for subject in ["a.b", "a.c", "a.b", "a.b"] {
        broker.put(subject).await;
    }
    let mut c = broker.taker("c", json!({ "filter_subject": "a.b" })).await;
    let told = async || {
        let state = broker.consumer_state(S, "c").await.unwrap().unwrap();
        (state.answered, state.unanswered, broker.progress(S, "c").await.unwrap().unwrap().backlog)
    };
    assert_eq!(told().await, (0, 0, 3));
    let first = c.take().await;
    assert_eq!(told().await, (0, 1, 2));
    broker.confirm(&first).await.unwrap();
    assert_eq!(told().await, (1, 0, 2));
    assert_eq!(c.done().await, 3);
    assert_eq!(told().await, (3, 0, 1));
    c.take().await;
    assert_eq!(told().await, (3, 1, 0));
}
