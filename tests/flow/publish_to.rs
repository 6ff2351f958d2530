//! Goal: one event that is published to several topics arrives on each of them, under one event id, and a topic that is
//! at fault fails alone. Method: subscribers of two topics note the event id that they are told; on a real server what
//! is stored is read too.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::{ErrorKind, MultiPublished, RunningApp};
use natspubsub_tests::{Inspector, NatsServer, config, unique};

const LIMIT: Duration = Duration::from_secs(20);
const TOPICS: [&str; 2] = ["notification.email", "audit.user-created"];

/// Topic, event id and body of every run.
type Seen = Arc<Mutex<Vec<(String, String, String)>>>;

fn note(seen: &Seen, ctx: &Context, body: &[u8]) {
    let body = String::from_utf8_lossy(body).into_owned();
    seen.lock().unwrap().push((ctx.topic().to_owned(), ctx.event_id().to_owned(), body));
}

#[topic_subscriber("notification.email")]
async fn mails(body: Raw, ctx: Context, State(seen): State<Seen>) {
    note(&seen, &ctx, body.0.as_ref());
}

#[topic_subscriber("audit.*")]
async fn audits(body: Raw, ctx: Context, State(seen): State<Seen>) {
    note(&seen, &ctx, body.0.as_ref());
}

async fn start(url: &str, seen: &Seen) -> RunningApp {
    let app = App::builder().config(config(url, "many")).state(seen.clone());
    app.subscriber(mails {}).subscriber(audits {}).build().unwrap().start().await.unwrap()
}

/// The one event id of all results.
fn event_id(published: &MultiPublished) -> String {
    let id = published.results[0].event_id.clone();
    for result in &published.results {
        assert_eq!(result.event_id, id);
        if let Ok(stored) = &result.result {
            assert_eq!(stored.event_id, id);
        }
    }
    id
}

async fn each_topic_gets_the_event(url: &str) {
    let seen = Seen::default();
    let running = start(url, &seen).await;
    let published = running.publisher().publish_to(TOPICS, "Ann").await;
    assert!(published.is_ok() && published.succeeded == 2, "{published:?}");
    let id = event_id(&published);
    let places: Vec<(&str, u64, bool)> = published
        .results
        .iter()
        .map(|result| (result.topic.as_str(), result.result.as_ref().unwrap()))
        .map(|(topic, stored)| (topic, stored.sequence, stored.duplicate))
        .collect();
    assert_eq!(places, [(TOPICS[0], 1, false), (TOPICS[1], 2, false)], "in the order of the topics");

    running.wait_until(|stats| stats.processed == 2, LIMIT).await.unwrap();
    let mut runs = std::mem::take(&mut *seen.lock().unwrap());
    runs.sort();
    let body = "\"Ann\"".to_owned();
    let run = |topic: &str| (topic.to_owned(), id.clone(), body.clone());
    assert_eq!(runs, [run(TOPICS[1]), run(TOPICS[0])], "both handlers are told the same event id");
    running.shutdown().await;
}

/// Bytes have no envelope that would say the event id.
async fn each_topic_gets_the_bytes(url: &str) {
    let seen = Seen::default();
    let running = start(url, &seen).await;
    let published = running.publisher().publish_to(TOPICS, &Raw(b"\x01\x02"[..].into())).await;
    let id = event_id(&published);
    running.wait_until(|stats| stats.processed == 2, LIMIT).await.unwrap();
    let runs = std::mem::take(&mut *seen.lock().unwrap());
    assert!(runs.iter().all(|(_, told, body)| *told == id && body == "\x01\x02"), "{id}: {runs:?}");
    running.shutdown().await;
}

async fn a_topic_at_fault_fails_alone(url: &str) {
    let seen = Seen::default();
    let running = start(url, &seen).await;
    let topics = ["notification.email", "no such topic", "audit.*", "audit.user-created"];
    let published = running.publisher().publish_to(topics, "Ann").await;
    assert!(!published.is_ok());
    assert_eq!((published.succeeded, published.failed), (2, 2), "{published:?}");
    event_id(&published);
    for (result, (topic, is_good)) in published.results.iter().zip(topics.iter().zip([true, false, false, true])) {
        assert_eq!((result.topic.as_str(), result.is_ok()), (*topic, is_good), "{result:?}");
        let kind = result.error().map(natspubsub::Error::kind);
        assert_eq!(kind, (!is_good).then_some(&ErrorKind::InvalidSubject));
    }
    running.wait_until(|stats| stats.processed == 2, LIMIT).await.unwrap();
    running.shutdown().await;
}

async fn a_repeated_event_is_stored_once_on_each_topic(url: &str) {
    let publisher = Publisher::connect(config(url, "again")).await.unwrap();
    let publish = || publisher.message("Ann").event_id("user-created-1").publish_to(TOPICS);
    let told = |published: &MultiPublished| -> Vec<(u64, bool)> {
        assert_eq!(event_id(published), "user-created-1");
        let stored = published.results.iter().map(|result| result.result.as_ref().unwrap());
        stored.map(|stored| (stored.sequence, stored.duplicate)).collect()
    };
    assert_eq!(told(&publish().await), [(1, false), (2, false)]);
    assert_eq!(told(&publish().await), [(1, true), (2, true)], "the answer names what is stored");
    let further = publisher.message("Ann").event_id("user-created-1").publish_to(["audit.later"]).await;
    assert_eq!(told(&further), [(3, false)], "another topic is another message");
}

async fn an_event_for_no_topic_is_no_message(url: &str) {
    let publisher = Publisher::connect(config(url, "none")).await.unwrap();
    let published = publisher.publish_to([""; 0], "Ann").await;
    assert!(published.is_ok() && published.results.is_empty() && published.succeeded == 0);
}

#[tokio::test]
async fn on_memory_an_event_is_published_to_several_topics() {
    let url = || format!("memory:{}", unique("many"));
    each_topic_gets_the_event(&url()).await;
    each_topic_gets_the_bytes(&url()).await;
    a_topic_at_fault_fails_alone(&url()).await;
    a_repeated_event_is_stored_once_on_each_topic(&url()).await;
    an_event_for_no_topic_is_no_message(&url()).await;
}

#[tokio::test]
async fn on_nats_an_event_is_published_to_several_topics() {
    let server = NatsServer::start().await;
    each_topic_gets_the_event(&server.url()).await;
    let stored = Inspector::connect(&server.url()).await.messages("test-many-stream").await;
    for (message, topic) in stored.iter().zip(TOPICS) {
        let envelope: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
        let id = envelope["event_id"].as_str().unwrap();
        assert_eq!(message.headers.get("Nats-Msg-Id").unwrap().as_str(), format!("{id}:{topic}"));
        assert_eq!((message.subject.as_str(), &envelope["topic"]), (&*format!("test.many.{topic}"), &topic.into()));
    }
    assert_eq!(stored.len(), 2);
    a_repeated_event_is_stored_once_on_each_topic(&server.url()).await;
    an_event_for_no_topic_is_no_message(&server.url()).await;
}

#[tokio::test]
async fn on_nats_bytes_are_published_to_several_topics() {
    let server = NatsServer::start().await;
    each_topic_gets_the_bytes(&server.url()).await;
}

#[tokio::test]
async fn on_nats_a_topic_at_fault_fails_alone() {
    let server = NatsServer::start().await;
    a_topic_at_fault_fails_alone(&server.url()).await;
}
