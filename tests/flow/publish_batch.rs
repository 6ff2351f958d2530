//! Goal: a batch tells what became of each of its messages, in the order in which they were added; one that is at fault
//! fails alone; messages of one subject stand in the stream in their order; the batch can be filled anew.
//! Method: the places in the stream are those that the results name, on a real server read back as well.

use std::collections::BTreeMap;

use futures::StreamExt;
use natspubsub::ErrorKind;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, unique};

/// Above `publish_window`, so that some wait for their turn.
const ORDERED: u64 = 5_000;
const MANY: u64 = 20_000;

async fn publisher(url: &str, app: &str) -> Publisher {
    Publisher::connect(config(url, app)).await.unwrap()
}

fn memory() -> String {
    format!("memory:{}", unique("batch"))
}

async fn results_stand_in_the_order_of_the_messages(url: &str) {
    let publisher = publisher(url, "results").await;
    let mut batch = publisher.batch();
    batch.add("user.created", "Ann").add("order.created", &7);
    batch.add_message(publisher.message("Bob").topic("user.created").event_id("user-created-1"));
    batch.add_message(publisher.message("Bob again").topic("user.created").event_id("user-created-1"));
    assert_eq!((batch.len(), batch.is_empty()), (4, false));
    let report = batch.publish().await;
    assert!(report.is_ok() && (report.succeeded, report.failed) == (4, 0), "{report:?}");
    assert!(batch.is_empty(), "it was published");
    let told: Vec<(&str, u64, bool)> = report
        .results
        .iter()
        .map(|result| {
            let stored = result.result.as_ref().unwrap();
            assert_eq!((&stored.event_id, &stored.stream), (&result.event_id, &"test-results-stream".to_owned()));
            assert_eq!(stored.subject, format!("test.results.{}", result.topic));
            (result.topic.as_str(), stored.sequence, stored.duplicate)
        })
        .collect();
    let user = "user.created";
    assert_eq!(told, [(user, 1, false), ("order.created", 2, false), (user, 3, false), (user, 3, true)]);
    let ids: Vec<&str> = report.results.iter().map(|result| result.event_id.as_str()).collect();
    assert_eq!(ids[2..], ["user-created-1", "user-created-1"]);
    assert!(ids[0].len() == 36 && ids[1].len() == 36 && ids[0] != ids[1], "{ids:?}");

    let second = batch.add("user.created", "Cid").publish().await;
    assert_eq!(second.results[0].result.as_ref().unwrap().sequence, 4, "the batch holds nothing of before");
    assert_eq!(second.results.len(), 1);
    let nothing = batch.publish().await;
    assert!(nothing.is_ok() && nothing.results.is_empty());
    assert_eq!(batch.add("user.created", "Dan").clear().publish().await.succeeded, 0);
}

async fn a_message_at_fault_fails_alone(url: &str) {
    let publisher = publisher(url, "faults").await;
    let unwritable = BTreeMap::from([([1_u8, 2], 3)]);
    let mut batch = publisher.batch();
    batch
        .add("a.b", &1)
        .add("no such topic", &2)
        .add("a.*", &3)
        .add("a.b", &"x".repeat(2 << 20))
        .add("a.b", &unwritable);
    batch.add_message(publisher.message(&4).topic("a.b").header("Nats-Rollup", "all"));
    batch.add_message(publisher.message(&5).topic("a.b").event_id("an id with spaces"));
    batch.add_message(publisher.message(&6).topic("a.b").expected_last_sequence(77));
    let report = batch.add("a.b", &8).publish().await;
    assert_eq!((report.succeeded, report.failed), (2, 7), "{report:?}");
    let kinds: Vec<_> = report.results.iter().map(|result| result.error().map(natspubsub::Error::kind)).collect();
    let (limit, size) = match kinds[3] {
        Some(ErrorKind::PayloadTooLarge { size, limit }) => (*limit, *size),
        other => panic!("{other:?}"),
    };
    assert!(limit == 1 << 20 && size > 2 << 20, "{size} of {limit}");
    let wanted = [
        None,
        Some(ErrorKind::InvalidSubject),
        Some(ErrorKind::InvalidSubject),
        Some(ErrorKind::PayloadTooLarge { size, limit }),
        Some(ErrorKind::Encode),
        Some(ErrorKind::InvalidHeader),
        Some(ErrorKind::InvalidHeader),
        Some(ErrorKind::Rejected),
        None,
    ];
    assert_eq!(kinds, wanted.iter().map(Option::as_ref).collect::<Vec<_>>());
    let last = report.results.last().unwrap().result.as_ref().unwrap();
    assert_eq!(last.sequence, 2, "nothing else is stored");
}

/// The places that the stream gave to a batch of numbers.
async fn places(publisher: &Publisher, numbers: std::ops::Range<u64>) -> Vec<u64> {
    let mut batch = publisher.batch();
    for number in numbers {
        batch.add("reading.taken", &number);
    }
    let report = batch.publish().await;
    assert!(report.is_ok(), "{:?}", report.results.iter().find(|result| result.is_err()));
    report.results.iter().map(|result| result.result.as_ref().unwrap().sequence).collect()
}

/// In batches, also from a task of its own as a handler runs, and one by one, many at once.
async fn messages_of_one_subject_keep_their_order(url: &str) {
    let publisher = &publisher(url, "order").await;
    let first = places(publisher, 0..ORDERED).await;
    assert!(first.iter().copied().eq(1..=ORDERED), "out of order: {:?}", first_out_of_order(&first));
    let own = publisher.clone();
    let second = tokio::spawn(async move { places(&own, ORDERED..2 * ORDERED).await }).await.unwrap();
    assert!(second.iter().copied().eq(ORDERED + 1..=2 * ORDERED), "out of order: {:?}", first_out_of_order(&second));
    let single = |number: u64| async move { publisher.publish("reading.taken", &number).await.unwrap().sequence };
    let single = futures::stream::iter((2 * ORDERED..3 * ORDERED).map(single)).buffered(1_000);
    let third: Vec<u64> = single.collect().await;
    assert!(third.iter().copied().eq(2 * ORDERED + 1..=3 * ORDERED), "out of order: {:?}", first_out_of_order(&third));
}

fn first_out_of_order(places: &[u64]) -> Option<&[u64]> {
    places.windows(2).find(|pair| pair[0] + 1 != pair[1])
}

#[tokio::test]
async fn on_memory_a_batch_tells_what_became_of_each_message() {
    results_stand_in_the_order_of_the_messages(&memory()).await;
    a_message_at_fault_fails_alone(&memory()).await;
}

#[tokio::test]
async fn on_nats_a_batch_tells_what_became_of_each_message() {
    let server = NatsServer::start().await;
    results_stand_in_the_order_of_the_messages(&server.url()).await;
    a_message_at_fault_fails_alone(&server.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_memory_messages_of_one_subject_keep_their_order() {
    messages_of_one_subject_keep_their_order(&memory()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_nats_messages_of_one_subject_keep_their_order() {
    let server = NatsServer::start().await;
    messages_of_one_subject_keep_their_order(&server.url()).await;
    let stored = Inspector::connect(&server.url()).await.messages("test-order-stream").await;
    let number = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).unwrap()["message"].as_u64().unwrap();
    assert!(stored.iter().map(|message| number(&message.payload)).eq(0..3 * ORDERED), "read back");
}

#[tokio::test]
async fn on_nats_twenty_thousand_messages_are_one_batch() {
    let server = NatsServer::start().await;
    let publisher = publisher(&server.url(), "many").await;
    let places = places(&publisher, 0..MANY).await;
    assert!(places.iter().copied().eq(1..=MANY), "out of order: {:?}", first_out_of_order(&places));
    let inspector = Inspector::connect(&server.url()).await;
    let mut stream = inspector.jetstream.get_stream("test-many-stream").await.unwrap();
    assert_eq!(stream.info().await.unwrap().state.messages, MANY);
}
