//! Goal: an atomic batch is stored as a whole or not at all, and its results name the places; a server that is too old
//! refuses it by name. Method: batches with one message that cannot be stored; what the stream holds is counted through
//! the place that the next message gets.

use natspubsub::ErrorKind;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, unique};

const MESSAGES_MAX: u64 = 1_000;

/// The last server without atomic batches.
const OLD: &str = "2.11.11";

async fn publisher(url: &str) -> Publisher {
    Publisher::connect(config(url, "atomic")).await.unwrap()
}

/// How many messages the stream had taken before this one.
async fn stored(publisher: &Publisher) -> u64 {
    publisher.publish("probe", &0).await.unwrap().sequence - 1
}

async fn all_messages_are_stored_and_the_results_name_their_places(url: &str) {
    let publisher = publisher(url).await;
    publisher.publish("order.created", &0).await.unwrap();
    let mut batch = publisher.batch();
    batch.add("order.created", &1);
    let mut batch = batch.atomic();
    batch.add_message(publisher.message(&2).topic("stock.reserved").event_id("stock-2")).add("order.paid", &3);
    let report = batch.publish().await.unwrap();
    assert!(report.is_ok() && (report.succeeded, report.failed) == (3, 0), "{report:?}");
    let told: Vec<(&str, u64, bool)> = report
        .results
        .iter()
        .map(|result| {
            let stored = result.result.as_ref().unwrap();
            assert_eq!((&stored.event_id, stored.stream.as_str()), (&result.event_id, "test-atomic-stream"));
            assert_eq!(stored.subject, format!("test.atomic.{}", result.topic));
            (result.topic.as_str(), stored.sequence, stored.duplicate)
        })
        .collect();
    assert_eq!(told, [("order.created", 2, false), ("stock.reserved", 3, false), ("order.paid", 4, false)]);
    assert_eq!(report.results[1].event_id, "stock-2");
    let nothing = batch.publish().await.unwrap();
    assert!(nothing.is_ok() && nothing.results.is_empty(), "the batch was emptied");
    let one = publisher.batch().atomic().add("order.paid", &5).publish().await.unwrap();
    assert_eq!(one.results[0].result.as_ref().unwrap().sequence, 5, "one message is a batch too");
}

async fn one_message_that_cannot_be_stored_keeps_all_from_it(url: &str) {
    let publisher = publisher(url).await;
    let begin = async || publisher.batch().add("a.b", &1).atomic();
    let refused = begin().await.add("a.b", &"x".repeat(2 << 20)).add("a.b", &2).publish().await.unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::PayloadTooLarge { .. }), "{refused}");
    let refused = begin().await.add("no such topic", &2).publish().await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::InvalidSubject, "{refused}");
    assert_eq!(stored(&publisher).await, 0);

    let wrong = publisher.message(&1).topic("a.b").expected_last_sequence(77);
    let refused = publisher.batch().atomic().add_message(wrong).add("a.b", &2).publish().await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Rejected, "{refused}");
    assert_eq!(stored(&publisher).await, 1);
    let right = publisher.message(&1).topic("a.b").expected_last_sequence(2);
    let report = publisher.batch().atomic().add_message(right).add("a.b", &2).publish().await.unwrap();
    assert_eq!(report.results[1].result.as_ref().unwrap().sequence, 4);

    for expected in [4, 5] {
        let misplaced = publisher.message(&2).topic("a.b").expected_last_sequence(expected);
        let refused = begin().await.add_message(misplaced).publish().await.unwrap_err();
        assert_eq!(refused.kind(), &ErrorKind::Rejected, "only the first message can expect a place: {refused}");
    }
    assert_eq!(stored(&publisher).await, 4);
}

async fn an_event_id_that_is_stored_keeps_all_from_it(url: &str) {
    let publisher = publisher(url).await;
    let once = || publisher.message(&1).topic("a.b").event_id("order-1");
    once().publish().await.unwrap();
    let refused = publisher.batch().atomic().add("a.b", &0).add_message(once()).add("a.b", &2).publish().await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Rejected, "{refused}");
    assert!(refused.to_string().contains("10201"), "{refused}");
    assert_eq!(stored(&publisher).await, 1);

    let twice = || publisher.message(&1).topic("a.b").event_id("order-2");
    let refused = publisher.batch().atomic().add_message(twice()).add_message(twice()).publish().await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Rejected, "{refused}");
    assert_eq!(stored(&publisher).await, 2);
}

async fn a_thousand_messages_are_the_most(url: &str) {
    let publisher = publisher(url).await;
    let mut batch = publisher.batch().atomic();
    for number in 0..=MESSAGES_MAX {
        batch.add("a.b", &number);
    }
    let refused = batch.publish().await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Rejected);
    assert!(refused.to_string().contains("1001 messages"), "{refused}");
    assert_eq!(stored(&publisher).await, 0);

    for number in 0..MESSAGES_MAX {
        batch.add("a.b", &number);
    }
    let report = batch.publish().await.unwrap();
    let places = report.results.iter().map(|result| result.result.as_ref().unwrap().sequence);
    assert!(places.eq(2..MESSAGES_MAX + 2), "{report:?}");
    assert_eq!(stored(&publisher).await, MESSAGES_MAX + 1);
}

#[tokio::test]
async fn on_memory_all_messages_are_stored_or_none() {
    let url = || format!("memory:{}", unique("atomic"));
    all_messages_are_stored_and_the_results_name_their_places(&url()).await;
    one_message_that_cannot_be_stored_keeps_all_from_it(&url()).await;
    an_event_id_that_is_stored_keeps_all_from_it(&url()).await;
    a_thousand_messages_are_the_most(&url()).await;
}

#[tokio::test]
async fn on_nats_all_messages_are_stored_and_the_results_name_their_places() {
    let server = NatsServer::start().await;
    all_messages_are_stored_and_the_results_name_their_places(&server.url()).await;
    let stored = Inspector::connect(&server.url()).await.messages("test-atomic-stream").await;
    let number = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).unwrap()["message"].as_u64().unwrap();
    let numbers: Vec<u64> = stored.iter().map(|message| number(&message.payload)).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 5], "read back");
}

#[tokio::test]
async fn on_nats_one_message_that_cannot_be_stored_keeps_all_from_it() {
    let server = NatsServer::start().await;
    one_message_that_cannot_be_stored_keeps_all_from_it(&server.url()).await;
}

#[tokio::test]
async fn on_nats_an_event_id_that_is_stored_keeps_all_from_it() {
    let server = NatsServer::start().await;
    an_event_id_that_is_stored_keeps_all_from_it(&server.url()).await;
}

#[tokio::test]
async fn on_nats_a_thousand_messages_are_the_most() {
    let server = NatsServer::start().await;
    a_thousand_messages_are_the_most(&server.url()).await;
}

/// A lifetime is allowed with the batch: the server would refuse the message, and with it the batch.
#[tokio::test]
async fn on_nats_an_atomic_batch_can_hold_messages_with_a_lifetime() {
    let server = NatsServer::start().await;
    let publisher = publisher(&server.url()).await;
    let short = publisher.message(&1).topic("a.b").ttl(std::time::Duration::from_secs(60));
    let report = publisher.batch().atomic().add_message(short).add("a.b", &2).publish().await.unwrap();
    assert!(report.is_ok(), "{report:?}");
}

/// It would store the messages one by one.
#[tokio::test]
#[ignore = "long"]
async fn on_nats_a_server_that_is_too_old_is_named_and_stores_nothing() {
    let server = NatsServer::start_version(OLD, "").await;
    let publisher = publisher(&server.url()).await;
    let refused = publisher.batch().atomic().add("a.b", &1).add("a.b", &2).publish().await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Rejected, "{refused}");
    let text = refused.to_string();
    assert!(text.contains("2.12") && text.contains(OLD), "{text}");
    assert_eq!(stored(&publisher).await, 0);
}
