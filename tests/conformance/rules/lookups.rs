//! Goal: what is stored can be read, counted and deleted by number and subject.

use serde_json::json;

use crate::broker::{Broker, S};

cases! {
    a_stored_message_is_read_by_its_number,
    the_next_stored_message,
    deleting_a_message,
    deleting_a_message_that_is_missing,
    purging_a_subject,
    counting_subjects,
    numbers_go_on_when_all_is_purged,
}

async fn four(broker: &Broker) {
    broker.make_stream(json!({})).await;
    for subject in ["a.b", "a.c", "a.b", "a.b.c"] {
        broker.put(subject).await;
    }
}

async fn a_stored_message_is_read_by_its_number(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.publish("a.b", &[("x", "y")], b"body").await.unwrap();
    let stored = broker.stored(S, 1).await.unwrap().unwrap();
    assert_eq!((stored.subject.as_str(), &stored.body[..], stored.sequence), ("a.b", &b"body"[..], 1));
    assert_eq!(stored.headers.iter().collect::<Vec<_>>(), [("x", "y")]);
    assert!(broker.stored(S, 2).await.unwrap().is_none());
}

async fn the_next_stored_message(broker: Broker) {
    four(&broker).await;
    broker.delete_message(S, 2).await.unwrap();
    let next = async |after| broker.stored_after(S, after).await.unwrap().map(|stored| stored.sequence);
    assert_eq!([next(0).await, next(1).await, next(3).await, next(4).await], [Some(1), Some(3), Some(4), None]);
}

async fn deleting_a_message(broker: Broker) {
    four(&broker).await;
    broker.delete_message(S, 2).await.unwrap();
    broker.delete_message(S, 2).await.unwrap();
    broker.delete_message(S, 99).await.unwrap();
    assert_eq!(broker.held().await, [1, 3, 4]);
    assert_eq!(broker.taker("c", json!({})).await.all().await, [1, 3, 4]);
}

async fn deleting_a_message_that_is_missing(broker: Broker) {
    for storage in ["file", "memory"] {
        let stream = format!("S-{storage}");
        let subjects = [format!("{storage}.>")];
        let config = json!({ "name": stream, "subjects": subjects, "storage": storage, "num_replicas": 1 });
        broker.create_stream(config).await.unwrap();
        assert_eq!(broker.delete_message(&stream, 1).await, Ok(()), "never stored, in {storage}");
        broker.publish(&format!("{storage}.b"), &[], b"").await.unwrap();
        broker.delete_message(&stream, 1).await.unwrap();
        assert_eq!(broker.delete_message(&stream, 1).await, Ok(()), "deleted, in {storage}");
        assert_eq!(broker.delete_message(&stream, 7).await, Ok(()), "not stored yet, in {storage}");
    }
}

async fn purging_a_subject(broker: Broker) {
    four(&broker).await;
    let mut c = broker.taker("c", json!({})).await;
    assert_eq!(c.done().await, 1);
    broker.purge(S, "a.b").await.unwrap();
    assert_eq!(broker.held().await, [2, 4]);
    broker.purge(S, "a.none").await.unwrap();
    assert_eq!(c.all().await, [2, 4]);
    broker.purge(S, "a.>").await.unwrap();
    assert_eq!(broker.held().await, [0; 0], "a pattern");
}

async fn counting_subjects(broker: Broker) {
    four(&broker).await;
    let count = async |pattern| broker.count_subjects(S, pattern).await.unwrap();
    assert_eq!([count("a.>").await, count("a.*").await, count("a.b").await, count("b").await], [3, 2, 1, 0]);
    assert_eq!(broker.count_subjects("T", "a.>").await, Ok(0), "no stream");
}

async fn numbers_go_on_when_all_is_purged(broker: Broker) {
    four(&broker).await;
    broker.purge(S, "a.>").await.unwrap();
    let mut c = broker.taker("c", json!({})).await;
    assert_eq!(broker.put("a.b").await, 5);
    assert_eq!(c.all().await, [5]);
}
