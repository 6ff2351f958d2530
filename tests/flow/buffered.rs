//! Goal: what a buffered publisher has accepted is published: when 100 messages are there, 50 ms after the first, at a
//! flush, when it is dropped and when the application ends; failures are told. Method: a listener notes each message;
//! for the two triggers the clock of the test stands still until everybody waits.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use natspubsub::prelude::*;
use natspubsub::{ErrorKind, RunningApp};
use natspubsub_tests::{Inspector, NatsServer, config, eventually, unique};
use tokio::sync::mpsc;
use tokio::time::Instant;

const LIMIT: Duration = Duration::from_secs(20);
const WAIT: Duration = Duration::from_millis(50);
const MESSAGES: u64 = 100;
const STREAM: &str = "test-buffered-stream";

fn memory() -> String {
    format!("memory:{}", unique("buffered"))
}

async fn start(url: &str) -> RunningApp {
    App::builder().config(config(url, "buffered")).publish_only().build().unwrap().start().await.unwrap()
}

/// When each message was stored, by the clock of the test.
async fn listening(url: &str) -> (Publisher, mpsc::UnboundedReceiver<Instant>) {
    let (sender, told) = mpsc::unbounded_channel();
    let publisher = Publisher::connect(config(url, "buffered")).await.unwrap();
    (publisher.on_publish(move |_, _, _| sender.send(Instant::now()).unwrap()), told)
}

#[tokio::test(start_paused = true)]
async fn on_memory_a_hundred_messages_wait_for_nothing() {
    let (publisher, mut told) = listening(&memory()).await;
    let buffered = publisher.buffered();
    let began = Instant::now();
    for number in 0..MESSAGES {
        buffered.add("reading.taken", &number).await.unwrap();
    }
    for _ in 0..MESSAGES {
        assert_eq!(told.recv().await.unwrap(), began, "no time has passed");
    }
}

#[tokio::test(start_paused = true)]
async fn on_memory_fewer_messages_wait_for_fifty_milliseconds() {
    let (publisher, mut told) = listening(&memory()).await;
    let buffered = publisher.buffered();
    let began = Instant::now();
    for number in 0..MESSAGES - 1 {
        buffered.add("reading.taken", &number).await.unwrap();
    }
    for _ in 0..MESSAGES - 1 {
        let waited = told.recv().await.unwrap() - began;
        // The clock of tokio counts whole milliseconds.
        assert!((WAIT..WAIT + Duration::from_millis(2)).contains(&waited), "{waited:?}");
    }
}

async fn a_flush_tells_what_became_of_the_messages(url: &str) {
    let running = start(url).await;
    let buffered = running.publisher().buffered();
    let nothing = buffered.flush().await;
    assert_eq!((nothing.succeeded, nothing.failed), (0, 0));
    for number in 0..1_234_u64 {
        buffered.add("reading.taken", &number).await.unwrap();
    }
    // A clone shares the messages.
    buffered.clone().add("reading.taken", &1_234).await.unwrap();
    let report = buffered.flush().await;
    assert_eq!((report.succeeded, report.failed, report.failures.len()), (1_235, 0, 0));
    assert_eq!(buffered.flush().await.succeeded, 0, "each is told once");

    for (topic, body, kind) in
        [("no such topic", "x".to_owned(), None), ("reading.taken", "x".repeat(2 << 20), Some("too large"))]
    {
        let refused = buffered.add(topic, &body).await.unwrap_err();
        match kind {
            None => assert_eq!(refused.kind(), &ErrorKind::InvalidSubject),
            Some(_) => assert!(matches!(refused.kind(), ErrorKind::PayloadTooLarge { .. }), "{refused}"),
        }
    }
    assert_eq!(buffered.flush().await.failed, 0, "what was refused at once was not added");
    let last = running.publisher().publish("reading.taken", &0).await.unwrap();
    assert_eq!(last.sequence, 1_236);
    running.shutdown().await;
    let late = buffered.add("reading.taken", &0).await.unwrap_err();
    assert_eq!(late.kind(), &ErrorKind::ShuttingDown, "{late}");
}

#[tokio::test]
async fn on_memory_a_flush_tells_what_became_of_the_messages() {
    a_flush_tells_what_became_of_the_messages(&memory()).await;
}

#[tokio::test]
async fn on_nats_a_flush_tells_what_became_of_the_messages() {
    let server = NatsServer::start().await;
    a_flush_tells_what_became_of_the_messages(&server.url()).await;
    let stored = Inspector::connect(&server.url()).await.messages(STREAM).await;
    let number = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).unwrap()["message"].as_u64().unwrap();
    let numbers = stored.iter().take(1_235).map(|message| number(&message.payload));
    assert!(numbers.eq(0..1_235), "in the order in which they were added");
}

#[tokio::test]
async fn on_nats_failures_are_told_one_by_one_up_to_a_hundred() {
    let server = NatsServer::start().await;
    let config = Config::builder().url(server.url()).env("test").app("buffered").publish_attempts(1).build().unwrap();
    let publisher = Publisher::connect(config).await.unwrap();
    let inspector = Inspector::connect(&server.url()).await;
    let failures = Arc::new(Mutex::new(0));
    let counted = failures.clone();
    let publisher = publisher.on_publish(move |_, result, _| *counted.lock().unwrap() += u32::from(result.is_err()));
    inspector.jetstream.delete_stream(STREAM).await.unwrap();
    let buffered = publisher.buffered();
    for number in 0..250 {
        buffered.add("reading.taken", &number).await.unwrap();
    }
    let report = buffered.flush().await;
    assert_eq!((report.succeeded, report.failed, report.failures.len()), (0, 250, 100));
    for failure in &report.failures {
        assert_eq!(failure.topic, "reading.taken");
        assert_eq!(failure.error().map(natspubsub::Error::kind), Some(&ErrorKind::Rejected), "{failure:?}");
        assert_eq!(failure.event_id.len(), 36, "the id under which it can be published again");
    }
    assert_eq!(*failures.lock().unwrap(), 250, "the listener is told of each");
}

async fn nothing_accepted_is_lost_at_the_end(url: &str) -> u64 {
    let running = start(url).await;
    let buffered = running.publisher().buffered();
    for number in 0..250 {
        buffered.add("reading.taken", &number).await.unwrap();
    }
    let publisher = running.publisher().clone();
    let report = running.shutdown().await;
    assert!(report.is_clean(), "{report:?}");
    let told = buffered.flush().await;
    assert_eq!((told.succeeded, told.failed), (250, 0), "what was accepted is stored");
    assert_eq!(publisher.publish("reading.taken", &0).await.unwrap_err().kind(), &ErrorKind::ShuttingDown);
    told.succeeded
}

#[tokio::test]
async fn on_memory_the_end_of_the_application_loses_nothing_that_was_accepted() {
    nothing_accepted_is_lost_at_the_end(&memory()).await;
}

#[tokio::test]
async fn on_nats_the_end_of_the_application_loses_nothing_that_was_accepted() {
    let server = NatsServer::start().await;
    let accepted = nothing_accepted_is_lost_at_the_end(&server.url()).await;
    let stored = Inspector::connect(&server.url()).await.messages(STREAM).await;
    assert_eq!(stored.len() as u64, accepted);
}

#[tokio::test]
async fn on_nats_what_was_added_is_published_though_the_publisher_is_dropped() {
    let server = NatsServer::start().await;
    let publisher = Publisher::connect(config(&server.url(), "buffered")).await.unwrap();
    let buffered = publisher.buffered();
    for number in 0..10 {
        buffered.add("reading.taken", &number).await.unwrap();
    }
    drop((buffered, publisher));
    let inspector = Inspector::connect(&server.url()).await;
    eventually("all are stored", LIMIT, || async { (inspector.messages(STREAM).await.len() == 10).then_some(()) })
        .await;
}

/// Chunks for whoever listens and messages for a stream, in turn; then the failures of a connection that is gone.
#[tokio::test]
async fn on_nats_chunks_on_raw_subjects_arrive_in_order_without_an_envelope() {
    let server = NatsServer::start().await;
    let publisher = Publisher::connect(config(&server.url(), "buffered")).await.unwrap();
    let inspector = Inspector::connect(&server.url()).await;
    let stream = async_nats::jetstream::stream::Config {
        name: "KEPT".into(),
        subjects: vec!["kept.>".into()],
        ..async_nats::jetstream::stream::Config::default()
    };
    inspector.jetstream.create_stream(stream).await.unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    let mut chunks = client.subscribe("chunk.>").await.unwrap();
    // An answer behind the subscription says that the server knows it.
    client.request("nobody", "".into()).await.unwrap_err();

    let buffered = publisher.buffered();
    let live = buffered.subject("chunk.a").envelope(false);
    let kept = buffered.subject("kept.a").envelope(false);
    for number in 0..250_u32 {
        live.add_core(&number).await.unwrap();
        kept.add(&number).await.unwrap();
    }
    let report = buffered.flush().await;
    assert_eq!((report.succeeded, report.failed), (500, 0));
    for number in 0..250_u32 {
        let chunk = tokio::time::timeout(LIMIT, chunks.next()).await.unwrap().unwrap();
        assert_eq!((&chunk.payload[..], chunk.headers), (number.to_string().as_bytes(), None));
    }
    let stored = inspector.messages("KEPT").await;
    assert!(stored.iter().map(|message| message.payload.to_vec()).eq((0..250_u32).map(|n| n.to_string().into_bytes())));
    assert!(stored.iter().all(|message| message.headers.get("Nats-Msg-Id").is_some_and(|id| id.as_str().len() == 36)));

    assert_eq!(buffered.subject("chunk.*").add_core("x").await.unwrap_err().kind(), &ErrorKind::InvalidSubject);
    drop(server);
    eventually("the connection is gone", LIMIT, || async {
        live.add_core("lost").await.unwrap();
        (buffered.flush().await.failed == 1).then_some(())
    })
    .await;
}
