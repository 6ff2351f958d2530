//! Goal: what an answer stands for where it is not one message. Method: consumers with the policies `all` and `none`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::broker::{Broker, S, consumer, ms, refused, with};
use crate::taker::Taker;

cases! {
    all_answers_everything_before,
    all_ends_everything_before,
    all_repeats_one,
    all_bounds_what_is_unanswered,
    all_releases_everything_before,
    none_answers_what_it_delivers,
    none_hears_no_answers,
    none_has_no_bound,
    none_releases_what_it_delivers,
    none_releases_what_nobody_else_needs,
    none_has_the_defaults_of_the_server,
    a_work_queue_is_answered_one_by_one,
}

/// A stream with four messages, and a consumer of it.
async fn four(broker: &Broker, stream: Value, fields: Value) -> Taker {
    broker.make_stream(stream).await;
    let taker = broker.taker("c", fields).await;
    for _ in 0..4 {
        broker.put("a.b").await;
    }
    taker
}

/// Answered, unanswered and still to be delivered.
async fn stand(broker: &Broker) -> (u64, u64, u64) {
    let state = broker.consumer_state(S, "c").await.unwrap().unwrap();
    (state.answered, state.unanswered, broker.progress(S, "c").await.unwrap().unwrap().backlog)
}

async fn wait_for(broker: &Broker, wanted: (u64, u64, u64)) {
    let what = format!("the consumer stands at {wanted:?}");
    natspubsub_tests::eventually(&what, crate::taker::LIMIT, async || (stand(broker).await == wanted).then_some(()))
        .await;
}

async fn all_answers_everything_before(broker: Broker) {
    let mut c = four(&broker, json!({}), json!({ "ack_policy": "all", "ack_wait": ms(400) })).await;
    c.take().await;
    let second = c.take().await;
    c.take().await;
    broker.confirm(&second).await.unwrap();
    assert_eq!(stand(&broker).await, (2, 1, 1));
    assert_eq!(c.take().await.sequence, 4);
    let again = c.take().await;
    assert_eq!((again.sequence, again.deliveries), (3, 2));
}

async fn all_ends_everything_before(broker: Broker) {
    let mut c = four(&broker, json!({}), json!({ "ack_policy": "all" })).await;
    c.take().await;
    broker.term(&c.take().await).await.unwrap();
    wait_for(&broker, (2, 0, 2)).await;
}

async fn all_repeats_one(broker: Broker) {
    let mut c = four(&broker, json!({}), json!({ "ack_policy": "all" })).await;
    c.take().await;
    broker.nak(&c.take().await, Duration::ZERO).await.unwrap();
    wait_for(&broker, (0, 2, 2)).await;
    let again = c.take().await;
    assert_eq!((again.sequence, again.deliveries), (2, 2));
    assert_eq!(c.take().await.sequence, 3);
}

async fn all_bounds_what_is_unanswered(broker: Broker) {
    let mut c = four(&broker, json!({}), json!({ "ack_policy": "all", "max_ack_pending": 2 })).await;
    c.take().await;
    let second = c.take().await;
    c.nothing().await;
    broker.confirm(&second).await.unwrap();
    assert_eq!(c.take().await.sequence, 3);
    assert_eq!(c.take().await.sequence, 4);
}

async fn all_releases_everything_before(broker: Broker) {
    let mut c = four(&broker, json!({ "retention": "interest" }), json!({ "ack_policy": "all" })).await;
    c.take().await;
    broker.confirm(&c.take().await).await.unwrap();
    broker.wait_for(&[3, 4]).await;
}

async fn none_answers_what_it_delivers(broker: Broker) {
    let mut c = four(&broker, json!({}), json!({ "ack_policy": "none" })).await;
    for number in 1..=3 {
        let delivery = c.take().await;
        assert_eq!((delivery.sequence, delivery.deliveries), (number, 1));
    }
    assert_eq!(stand(&broker).await, (3, 0, 1));
}

async fn none_hears_no_answers(broker: Broker) {
    let mut c = four(&broker, json!({}), json!({ "ack_policy": "none" })).await;
    let first = c.take().await;
    broker.nak(&first, Duration::ZERO).await.unwrap();
    assert!(broker.in_progress(&first).await.is_err());
    assert!(broker.confirm(&first).await.is_err());
    assert_eq!(c.take().await.sequence, 2);
    assert_eq!(stand(&broker).await, (2, 0, 2));
}

async fn none_has_no_bound(broker: Broker) {
    let mut c = four(&broker, json!({}), json!({ "ack_policy": "none", "max_ack_pending": 1 })).await;
    for number in 1..=4 {
        assert_eq!(c.take().await.sequence, number);
    }
}

async fn none_releases_what_it_delivers(broker: Broker) {
    let mut c = four(&broker, json!({ "retention": "interest" }), json!({ "ack_policy": "none" })).await;
    c.take().await;
    broker.wait_for(&[2, 3, 4]).await;
}

async fn none_releases_what_nobody_else_needs(broker: Broker) {
    broker.make_stream(json!({ "retention": "interest" })).await;
    let mut c = broker.taker("c", json!({ "ack_policy": "none" })).await;
    let mut d = broker.taker("d", json!({})).await;
    broker.put("a.b").await;
    broker.put("a.b").await;
    assert_eq!(d.done().await, 1);
    assert_eq!(broker.held().await, [1, 2]);
    c.take().await;
    broker.wait_for(&[2]).await;
    c.take().await;
    assert_eq!(broker.held().await, [2]);
    assert_eq!(d.done().await, 2);
    broker.wait_for(&[]).await;
}

async fn none_has_the_defaults_of_the_server(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.make_consumer("c", json!({ "ack_policy": "none" })).await;
    let made = broker.consumer(S, "c").await.unwrap().unwrap();
    let wanted = with(
        consumer("c", json!({ "ack_policy": "none" })),
        json!({
            "deliver_policy": "all", "replay_policy": "instant", "max_deliver": -1, "max_waiting": 512, "num_replicas": 0,
        }),
    );
    for (field, value) in wanted.as_object().unwrap() {
        assert_eq!(made.get(field), Some(value), "{field} of {made:?}");
    }
    for field in ["ack_wait", "max_ack_pending"] {
        assert_eq!(made.get(field), None, "{field} of {made:?}");
    }
}

async fn a_work_queue_is_answered_one_by_one(broker: Broker) {
    broker.make_stream(json!({ "retention": "workqueue" })).await;
    let of = |policy: &str| consumer("c", json!({ "ack_policy": policy }));
    refused(broker.create_consumer(S, of("all")).await, 10098, "workqueue stream requires explicit ack");
    let words = "consumer in pull mode requires explicit ack policy on workqueue stream";
    refused(broker.create_consumer(S, of("none")).await, 10084, words);
}
