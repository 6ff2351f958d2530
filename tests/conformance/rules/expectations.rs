//! Goal: a message that is stored only under a condition, and many that are stored together.

use serde_json::json;

use crate::broker::{Broker, S, rejected};

cases! {
    the_last_sequence_is_the_one_that_is_expected,
    the_last_sequence_counts_what_is_deleted,
    a_batch_is_stored_as_one: AtomicBatches,
    a_batch_with_an_id_twice_is_refused: AtomicBatches,
    a_batch_with_a_known_id_is_refused: AtomicBatches,
    a_batch_with_an_unmet_expectation_is_refused: AtomicBatches,
    a_stream_without_batches_refuses_them: AtomicBatches,
}

const EXPECTED: &str = "Nats-Expected-Last-Sequence";
const ID: &str = "Nats-Msg-Id";

async fn the_last_sequence_is_the_one_that_is_expected(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.put_with("a.b", EXPECTED, "0").await.unwrap();
    rejected(broker.put_with("a.c", EXPECTED, "0").await, 10071, "wrong last sequence: 1");
    assert_eq!(broker.put_with("a.c", EXPECTED, "1").await.unwrap().sequence, 2);
    assert_eq!(broker.held().await, [1, 2]);
}

async fn the_last_sequence_counts_what_is_deleted(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.put("a.b").await;
    broker.delete_message(S, 1).await.unwrap();
    rejected(broker.put_with("a.b", EXPECTED, "0").await, 10071, "wrong last sequence: 1");
    broker.put_with("a.b", EXPECTED, "1").await.unwrap();
}

async fn a_batch_is_stored_as_one(broker: Broker) {
    broker.make_stream(json!({ "allow_atomic": true })).await;
    broker.put("a.b").await;
    let stored = broker.publish_atomic("one", &[("a.b", &[(ID, "1")]), ("a.c", &[]), ("a.d", &[])]).await.unwrap();
    assert_eq!((stored.sequence, stored.duplicate), (4, false));
    assert_eq!(broker.held().await, [1, 2, 3, 4]);
    assert!(broker.put_with("a.b", ID, "1").await.unwrap().duplicate, "the ids of a batch are known");
}

async fn a_batch_with_an_id_twice_is_refused(broker: Broker) {
    broker.make_stream(json!({ "allow_atomic": true })).await;
    let answer = broker.publish_atomic("one", &[("a.b", &[(ID, "1")]), ("a.c", &[(ID, "1")])]).await;
    rejected(answer, 10201, "duplicate message id");
    assert_eq!(broker.held().await, [0; 0]);
}

async fn a_batch_with_a_known_id_is_refused(broker: Broker) {
    broker.make_stream(json!({ "allow_atomic": true })).await;
    broker.put_with("a.b", ID, "1").await.unwrap();
    let answer = broker.publish_atomic("one", &[("a.b", &[]), ("a.c", &[(ID, "1")])]).await;
    rejected(answer, 10201, "duplicate message id");
    assert_eq!(broker.held().await, [1]);
}

async fn a_batch_with_an_unmet_expectation_is_refused(broker: Broker) {
    broker.make_stream(json!({ "allow_atomic": true })).await;
    broker.put("a.b").await;
    let answer = broker.publish_atomic("one", &[("a.b", &[(EXPECTED, "0")]), ("a.c", &[])]).await;
    rejected(answer, 10071, "wrong last sequence: 1");
    assert_eq!(broker.held().await, [1]);
    let stored = broker.publish_atomic("two", &[("a.b", &[(EXPECTED, "1")]), ("a.c", &[])]).await.unwrap();
    assert_eq!(stored.sequence, 3);
}

async fn a_stream_without_batches_refuses_them(broker: Broker) {
    broker.make_stream(json!({})).await;
    rejected(broker.publish_atomic("one", &[("a.b", &[]), ("a.c", &[])]).await, 10174, "atomic publish is disabled");
    assert_eq!(broker.held().await, [0; 0]);
}
