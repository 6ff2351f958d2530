//! Goal: a message with a lifetime is gone after it, a delayed one arrives after its delay and not before, as the event
//! that was published; the stream is allowed either when the first message asks for it, and a restart changes nothing of
//! that. Method: real servers, and the broker inside the process.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::jetstream;
use natspubsub::prelude::*;
use natspubsub::{ErrorKind, RunningApp};
use natspubsub_tests::{Inspector, NatsServer, config, eventually, unique};

const LIMIT: Duration = Duration::from_secs(20);
const DELAY: Duration = Duration::from_secs(2);
const STREAM: &str = "test-times-stream";

/// The last server without delays.
const OLD: &str = "2.11.11";

/// Topic, subject, event id, correlation, header and body of a run, and when it was.
#[derive(Debug, Clone)]
struct Run {
    what: [String; 4],
    correlation: Option<String>,
    header: Option<String>,
    at: Instant,
}

type Seen = Arc<Mutex<Vec<Run>>>;

/// Sees everything that the application publishes.
#[topic_subscriber(">")]
async fn sees(body: Raw, ctx: Context, State(seen): State<Seen>) {
    let body = String::from_utf8_lossy(body.0.as_ref()).into_owned();
    let text = |text: &str| text.to_owned();
    seen.lock().unwrap().push(Run {
        what: [text(ctx.topic()), text(ctx.subject()), text(ctx.event_id()), body],
        correlation: ctx.correlation_id().map(text),
        header: ctx.headers().get("x-request-id").map(text),
        at: Instant::now(),
    });
}

async fn start(url: &str, seen: &Seen) -> RunningApp {
    let app = App::builder().config(config(url, "times")).state(seen.clone());
    app.subscriber(sees {}).build().unwrap().start().await.unwrap()
}

async fn stream_config(inspector: &Inspector) -> jetstream::stream::Config {
    inspector.jetstream.get_stream(STREAM).await.unwrap().info().await.unwrap().config.clone()
}

async fn count(inspector: &Inspector) -> u64 {
    inspector.jetstream.get_stream(STREAM).await.unwrap().info().await.unwrap().state.messages
}

async fn a_message_is_gone_after_its_lifetime(server: &NatsServer) {
    let inspector = Inspector::connect(&server.url()).await;
    let publisher = Publisher::connect(config(&server.url(), "times")).await.unwrap();
    publisher.publish("order.created", &0).await.unwrap();
    assert!(!stream_config(&inspector).await.allow_message_ttl, "nobody has asked for it");
    let published = Instant::now();
    publisher.message(&1).topic("order.created").ttl(Duration::from_millis(1_500)).publish().await.unwrap();
    publisher.batch().add_message(publisher.message(&2).topic("order.created").ttl(Duration::ZERO)).publish().await;
    assert_eq!(count(&inspector).await, 3);
    assert!(stream_config(&inspector).await.allow_message_ttl);
    eventually("those with a lifetime are gone", LIMIT, || async { (count(&inspector).await == 1).then_some(()) })
        .await;
    assert!(published.elapsed() >= Duration::from_millis(1_500), "not before their time: {:?}", published.elapsed());
    let left = inspector.messages(STREAM).await;
    assert_eq!(left[0].sequence, 1, "the one without a lifetime stays");
}

#[tokio::test]
async fn a_message_with_a_lifetime_is_gone_after_it() {
    a_message_is_gone_after_its_lifetime(&NatsServer::start().await).await;
}

#[tokio::test]
#[ignore = "long"]
async fn a_lifetime_needs_no_newer_server_than_2_11() {
    a_message_is_gone_after_its_lifetime(&NatsServer::start_version(OLD, "").await).await;
}

#[tokio::test]
async fn a_delayed_message_arrives_after_its_delay_as_the_event_that_was_published() {
    let server = NatsServer::start().await;
    a_delayed_message_arrives(&server.url()).await;
}

#[tokio::test]
async fn the_broker_inside_the_process_delays_a_message_as_a_server_does() {
    a_delayed_message_arrives(&format!("memory:{}", unique("times"))).await;
}

async fn a_delayed_message_arrives(url: &str) {
    let seen = Seen::default();
    let running = start(url, &seen).await;
    let publisher = running.publisher();
    let published = Instant::now();
    let delayed = publisher.message("Ann").topic("user.reminded").event_id("reminder-1").correlation_id("signup-7");
    let delayed = delayed.header("x-request-id", "r-1").delay(DELAY).publish().await.unwrap();
    assert_eq!((delayed.subject.as_str(), delayed.event_id.as_str()), ("test.times.user.reminded", "reminder-1"));
    assert!(!delayed.duplicate);
    let again = publisher.message("Ann").topic("user.reminded").event_id("reminder-1").delay(DELAY).publish().await;
    assert!(again.unwrap().duplicate, "an event is delayed once");
    let bytes = Raw(b"\x01"[..].into());
    publisher.message(&bytes).topic("user.reminded").event_id("bytes-1").delay(DELAY).publish().await.unwrap();
    running.wait_until(|stats| stats.processed == 2, LIMIT).await.unwrap();

    let mut runs = seen.lock().unwrap().clone();
    runs.sort_by(|a, b| a.what.cmp(&b.what));
    let run = |id: &str, body: &str| ["user.reminded", "test.times.user.reminded", id, body].map(str::to_owned);
    assert_eq!(runs[0].what, run("bytes-1", "\x01"));
    assert_eq!(runs[1].what, run("reminder-1", "\"Ann\""));
    assert_eq!(runs[1].correlation.as_deref(), Some("signup-7"));
    assert_eq!(runs[1].header.as_deref(), Some("r-1"));
    // The server counts the delay in whole seconds of its clock or finer; early by a rounding is early.
    assert!(runs.iter().all(|run| run.at.duration_since(published) >= DELAY), "{runs:?}");
    assert!(running.shutdown().await.is_clean());
    assert_eq!(seen.lock().unwrap().len(), 2, "the one who sees everything has not seen the waiting messages");
}

/// Each waits on a subject of its own, which the other must not take.
#[tokio::test]
async fn delayed_messages_with_ids_that_resemble_each_other_all_arrive() {
    let server = NatsServer::start().await;
    let seen = Seen::default();
    let running = start(&server.url(), &seen).await;
    let ids = ["order.1", "order_1", "order:1", "order-1"];
    for id in ids {
        let message = running.publisher().message("Ann").topic("user.reminded").event_id(id);
        assert!(!message.delay(Duration::from_secs(1)).publish().await.unwrap().duplicate);
    }
    let several = running.publisher().message("Bob").event_id("several").delay(Duration::from_secs(1));
    assert!(several.publish_to(["a.b", "c.d"]).await.is_ok());
    running.wait_until(|stats| stats.processed == 6, LIMIT).await.unwrap();
    let mut seen: Vec<String> = seen.lock().unwrap().iter().map(|run| run.what[2].clone()).collect();
    seen.sort();
    let mut wanted = [&ids[..], &["several", "several"]].concat();
    wanted.sort_unstable();
    assert_eq!(seen, wanted);
    running.shutdown().await;
}

/// A lifetime begins when the message arrives: it must not end the wait.
#[tokio::test]
async fn a_delayed_message_with_a_shorter_lifetime_arrives_and_is_gone_after_it() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let seen = Seen::default();
    let running = start(&server.url(), &seen).await;
    let message = running.publisher().message("Ann").topic("user.reminded").event_id("short");
    message.ttl(Duration::from_secs(1)).delay(DELAY * 2).publish().await.unwrap();
    running.wait_until(|stats| stats.processed == 1, LIMIT).await.unwrap();
    eventually("it is gone after its lifetime", LIMIT, || async { (count(&inspector).await == 0).then_some(()) }).await;
    running.shutdown().await;
}

#[tokio::test]
async fn what_the_stream_was_allowed_is_no_drift_at_the_next_start() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let seen = Seen::default();
    let running = start(&server.url(), &seen).await;
    let before = stream_config(&inspector).await;
    let message = |body: &'static str| running.publisher().message(body).topic("user.reminded");
    let mut atomic = running.publisher().batch().atomic();
    atomic.add("user.created", "Ann");
    // All for the first time, and all at once.
    let (short, late, whole) = tokio::join!(
        message("Ann").ttl(Duration::from_secs(60)).publish(),
        message("Bob").delay(Duration::from_secs(1)).publish(),
        atomic.publish(),
    );
    assert!(short.is_ok() && late.is_ok() && whole.is_ok(), "{short:?} {late:?} {whole:?}");
    running.shutdown().await;
    let allowed = stream_config(&inspector).await;
    assert_eq!((before.subjects.len(), allowed.subjects.len()), (1, 2), "{:?}", allowed.subjects);
    assert!(allowed.allow_message_ttl && allowed.allow_atomic_publish && allowed.allow_message_schedules);

    let running = start(&server.url(), &seen).await;
    running.publisher().message("Cid").topic("user.reminded").ttl(Duration::from_secs(60)).publish().await.unwrap();
    running.shutdown().await;
    let fields = |config: jetstream::stream::Config| serde_json::to_value(config).unwrap();
    assert_eq!(fields(stream_config(&inspector).await), fields(allowed));
}

#[tokio::test]
#[ignore = "long"]
async fn a_server_that_is_too_old_for_a_delay_is_named_and_stores_nothing() {
    let server = NatsServer::start_version(OLD, "").await;
    let publisher = Publisher::connect(config(&server.url(), "times")).await.unwrap();
    let delayed = publisher.message("Ann").topic("user.reminded").delay(DELAY);
    let refused = delayed.publish().await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Rejected, "{refused}");
    let text = refused.to_string();
    assert!(text.contains("2.12") && text.contains(OLD), "{text}");
    let inspector = Inspector::connect(&server.url()).await;
    assert_eq!((count(&inspector).await, stream_config(&inspector).await.subjects.len()), (0, 1));
}
