//! Goal: a message is stored once for each message id, as long as the stream remembers it.

use serde_json::json;

use crate::broker::{Broker, S, ms, refused, stream};

cases! {
    the_header_has_one_case,
    the_id_counts_on_every_subject,
    a_dead_letter_with_the_id_of_its_original_is_lost,
    an_id_is_forgotten_after_the_window,
    a_duplicate_does_not_renew_the_window,
    the_id_of_a_deleted_message_is_known,
    a_window_longer_than_the_age_is_refused,
    a_window_that_is_not_given_is_two_minutes,
}

const ID: &str = "Nats-Msg-Id";

/// Publishes three times and returns numbers and what was a duplicate.
async fn twice(broker: &Broker, header: &str) -> [(u64, bool); 2] {
    let first = broker.put_with("a.b", header, "1").await.unwrap();
    let second = broker.put_with("a.b", header, "1").await.unwrap();
    [(first.sequence, first.duplicate), (second.sequence, second.duplicate)]
}

async fn the_header_has_one_case(broker: Broker) {
    broker.make_stream(json!({})).await;
    assert_eq!(twice(&broker, "nats-msg-id").await, [(1, false), (2, false)]);
    assert_eq!(twice(&broker, ID).await, [(3, false), (3, true)]);
    assert_eq!(twice(&broker, "NATS-MSG-ID").await, [(4, false), (5, false)]);
}

async fn the_id_counts_on_every_subject(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.put_with("a.b", ID, "1").await.unwrap();
    let other = broker.put_with("a.c", ID, "1").await.unwrap();
    assert_eq!((other.sequence, other.duplicate), (1, true));
    assert_eq!(broker.held().await, [1]);
}

async fn a_dead_letter_with_the_id_of_its_original_is_lost(broker: Broker) {
    broker.make_stream(json!({ "subjects": ["production.>"] })).await;
    broker.put_with("production.app.order.created", ID, "event-1").await.unwrap();
    let copy = broker.put_with("production.app.dlq", ID, "event-1").await.unwrap();
    assert_eq!((copy.stream.as_str(), copy.sequence, copy.duplicate), (S, 1, true));
    assert_eq!(broker.held().await, [1]);
}

async fn an_id_is_forgotten_after_the_window(broker: Broker) {
    broker.make_stream(json!({ "duplicate_window": ms(200) })).await;
    assert_eq!(twice(&broker, ID).await, [(1, false), (1, true)]);
    let again = natspubsub_tests::eventually("the id is forgotten", crate::taker::LIMIT, async || {
        let stored = broker.put_with("a.b", ID, "1").await.unwrap();
        (!stored.duplicate).then_some(stored.sequence)
    });
    assert_eq!(again.await, 2);
}

async fn a_duplicate_does_not_renew_the_window(broker: Broker) {
    broker.make_stream(json!({ "duplicate_window": ms(500) })).await;
    broker.put_with("a.b", ID, "1").await.unwrap();
    let start = std::time::Instant::now();
    natspubsub_tests::eventually("the id is forgotten", crate::taker::LIMIT, async || {
        let stored = broker.put_with("a.b", ID, "1").await.unwrap();
        (!stored.duplicate).then_some(())
    })
    .await;
    let took = start.elapsed().as_millis();
    assert!((400..3_000).contains(&took), "{took} ms, though it was published again and again");
}

async fn the_id_of_a_deleted_message_is_known(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.put_with("a.b", ID, "1").await.unwrap();
    broker.delete_message(S, 1).await.unwrap();
    assert!(broker.put_with("a.b", ID, "1").await.unwrap().duplicate);
    assert_eq!(broker.held().await, [0; 0]);
}

async fn a_window_longer_than_the_age_is_refused(broker: Broker) {
    let config = stream(json!({ "max_age": ms(1_000), "duplicate_window": ms(2_000) }));
    refused(broker.create_stream(config).await, 10052, "duplicates window can not be larger then max age");
}

async fn a_window_that_is_not_given_is_two_minutes(broker: Broker) {
    broker.make_stream(json!({})).await;
    let config = broker.stream(S).await.unwrap().unwrap();
    assert_eq!(config["duplicate_window"], 120_000_000_000_u64);
    broker.update_stream(stream(json!({ "max_age": ms(1_000) }))).await.unwrap();
    let config = broker.stream(S).await.unwrap().unwrap();
    assert_eq!(config["duplicate_window"], ms(1_000), "not longer than a message lives");
}
