//! Goal: a message that always fails runs exactly `max_attempts` times with growing gaps, then lies in the dead letters
//! with its story and its bytes, and no longer in the consumer.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config};

type Runs = Arc<Mutex<Vec<Instant>>>;

#[topic_subscriber("order.created", max_attempts = 4, backoff = "200ms, 500ms, 1200ms", jitter = false)]
async fn always_fails(order: serde_json::Value, State(runs): State<Runs>) -> Result<(), std::io::Error> {
    runs.lock().unwrap().push(Instant::now());
    Err(std::io::Error::other(format!("no stock for\r\n{order}")))
}

#[tokio::test]
async fn a_message_that_always_fails_becomes_one_dead_letter_with_its_story() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let runs = Runs::default();
    let app = App::builder().config(config(&server.url(), "dead")).state(runs.clone()).subscriber(always_fails {});
    let running = app.build().unwrap().start().await.unwrap();

    let published = running
        .publisher()
        .message(&serde_json::json!({ "order_id": "ORD-1", "note": "gr\u{fc}n" }))
        .topic("order.created")
        .event_id("order-1")
        .header("x-request-id", "r-7")
        .publish()
        .await
        .unwrap();
    running.wait_until(|stats| stats.dead_lettered == 1, Duration::from_secs(20)).await.unwrap();

    let runs = runs.lock().unwrap().clone();
    let gaps: Vec<u128> = runs.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
    assert_eq!(runs.len(), 4, "exactly max_attempts runs");
    for (gap, wanted) in gaps.iter().zip([200, 500, 1_200]) {
        assert!((wanted..wanted + 1_000).contains(gap), "the gaps {gaps:?} follow the backoff");
    }
    assert!(gaps.is_sorted(), "the gaps grow: {gaps:?}");

    let original = inspector.messages("test-dead-stream").await.remove(0);
    let mut letters = inspector.messages("test-dead-dlq").await;
    assert_eq!(letters.len(), 1);
    let letter = letters.remove(0);
    assert_eq!(letter.subject.as_str(), "test.dlq.dead.dead-always_fails.order.created");
    assert_eq!(letter.payload, original.payload, "the body is byte-identical");
    let header = |name: &str| letter.headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default();
    let sequence = published.sequence;
    for (name, value) in [
        ("Nats-Msg-Id", format!("dlq:test-dead-stream:{sequence}:dead-always_fails")),
        ("x-dead-letter", "true".into()),
        ("x-dlq-reason", "exhausted".into()),
        ("x-original-subject", "test.dead.order.created".into()),
        ("x-original-stream", "test-dead-stream".into()),
        ("x-original-sequence", sequence.to_string()),
        ("x-deliveries", "4".into()),
        ("x-consumer", "dead-always_fails".into()),
        ("x-event-id", "order-1".into()),
        ("x-request-id", "r-7".into()),
    ] {
        assert_eq!(header(name), value, "{name}");
    }
    assert!(header("x-dlq-error").starts_with("no stock for  {"), "one line: {}", header("x-dlq-error"));
    assert!(
        header("x-first-failed-at") < header("x-failed-at"),
        "{} {}",
        header("x-first-failed-at"),
        header("x-failed-at")
    );

    assert_eq!(running.shutdown().await.to_string(), "drained: processed=0 retried=3 dead_lettered=1 lost=0");
    assert!(inspector.is_settled("test-dead-stream", "dead-always_fails").await, "the original is no longer pending");
}

#[topic_subscriber("order.created", max_attempts = 1)]
async fn rejects(order: serde_json::Value) -> Outcome {
    Outcome::DeadLetter { reason: format!("{order} is not for us") }
}

/// Principle: the store is confirmed before the original is settled. Here the store cannot be confirmed.
#[tokio::test]
async fn a_message_whose_dead_letter_cannot_be_stored_is_kept() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let app = App::builder().config(config(&server.url(), "kept")).subscriber(rejects {}).build().unwrap();
    let running = app.start().await.unwrap();
    inspector.jetstream.delete_stream("test-kept-dlq").await.unwrap();

    running.publisher().publish("order.created", "ORD-1").await.unwrap();
    running.wait_until(|stats| stats.unstored == 1, Duration::from_secs(20)).await.unwrap();
    assert_eq!(running.health().status, natspubsub::HealthStatus::Degraded);
    assert_eq!(running.stats().settled(), 0);
    running.shutdown().await;
    let info = inspector.consumer("test-kept-stream", "kept-rejects").await;
    assert_eq!(info.num_ack_pending, 1, "the original is neither acknowledged nor ended");
}

#[topic_subscriber("order.created", max_attempts = 3)]
async fn decodes(order: Order) {
    panic!("never called: {}", order.total);
}

#[derive(serde::Deserialize)]
struct Order {
    total: f64,
}

#[tokio::test]
async fn what_cannot_be_decoded_is_a_dead_letter_at_once_with_its_bytes() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let app = App::builder().config(config(&server.url(), "undecodable")).subscriber(decodes {}).build().unwrap();
    let running = app.start().await.unwrap();
    let bodies: [&[u8]; 5] =
        [b"", b"no json \xff", b"{\"message\":{\"total\":\"many\"}}", b"[1]", b"{\"event_id\":\"a b\",\"message\":1}"];
    for body in bodies {
        inspector.jetstream.publish("test.undecodable.order.created", body.into()).await.unwrap().await.unwrap();
    }
    running.wait_until(|stats| stats.dead_lettered == 5, Duration::from_secs(20)).await.unwrap();
    assert_eq!(running.stats().retried, 0);
    running.shutdown().await;
    let mut stored: Vec<Vec<u8>> = Vec::new();
    for letter in inspector.messages("test-undecodable-dlq").await {
        assert_eq!(letter.headers.get("x-dlq-reason").unwrap().as_str(), "undecodable");
        stored.push(letter.payload.to_vec());
    }
    stored.sort();
    let mut wanted: Vec<Vec<u8>> = bodies.iter().map(|body| body.to_vec()).collect();
    wanted.sort();
    assert_eq!(stored, wanted);
}

#[tokio::test]
async fn a_message_at_the_size_limit_still_becomes_a_dead_letter() {
    let server = NatsServer::start_with("max_payload: 65536").await;
    let inspector = Inspector::connect(&server.url()).await;
    let app = App::builder().config(config(&server.url(), "large")).subscriber(rejects {}).build().unwrap();
    let running = app.start().await.unwrap();
    let envelope = 300;
    for short_by in [envelope, envelope + 200, envelope + 2_000] {
        running.publisher().publish("order.created", &"x".repeat(65_536 - short_by)).await.unwrap();
    }
    running.wait_until(|stats| stats.dead_lettered == 3, Duration::from_secs(20)).await.unwrap();
    running.shutdown().await;
    let letters = inspector.messages("test-large-dlq").await;
    let omitted = letters.iter().filter(|letter| letter.headers.get("x-dlq-body-omitted").is_some()).count();
    assert_eq!((letters.len(), omitted), (3, 2), "what does not fit refers to its original");
    assert!(letters.iter().all(|letter| letter.headers.get("x-original-sequence").is_some()));
}

#[topic_subscriber("order.created", max_attempts = 2, durable = "dies")]
async fn never_runs(order: serde_json::Value, State(runs): State<Runs>) {
    let _ = order;
    runs.lock().unwrap().push(Instant::now());
}

/// A message that kills its process is delivered again and again with nobody counting.
#[tokio::test]
async fn a_message_delivered_too_often_without_an_answer_never_runs_again() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let runs = Runs::default();
    let build = || {
        App::builder()
            .config(config(&server.url(), "loop"))
            .state(runs.clone())
            .subscriber(never_runs {})
            .build()
            .unwrap()
    };
    // The first start makes the consumer; then plain pulls stand in for processes that die.
    build().start().await.unwrap().shutdown().await;
    inspector.jetstream.publish("test.loop.order.created", "{\"message\":1}".into()).await.unwrap().await.unwrap();
    let stream = inspector.jetstream.get_stream("test-loop-stream").await.unwrap();
    let consumer: async_nats::jetstream::consumer::PullConsumer = stream.get_consumer("dies").await.unwrap();
    for _ in 0..2 {
        use futures::StreamExt;
        let mut batch = consumer.batch().max_messages(1).expires(Duration::from_secs(5)).messages().await.unwrap();
        let message = batch.next().await.unwrap().unwrap();
        message.ack_with(async_nats::jetstream::AckKind::Nak(None)).await.unwrap();
    }
    let running = build().start().await.unwrap();
    running.wait_until(|stats| stats.dead_lettered == 1, Duration::from_secs(20)).await.unwrap();
    running.shutdown().await;
    assert!(runs.lock().unwrap().is_empty(), "the handler did not run");
    let letters = inspector.messages("test-loop-dlq").await;
    assert_eq!(letters[0].headers.get("x-dlq-reason").unwrap().as_str(), "crash");
}
