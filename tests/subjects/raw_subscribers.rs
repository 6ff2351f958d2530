//! Goal: a subscriber of raw subjects reads the stream that holds them, wherever it comes from, and treats its messages as
//! those of topics are treated. Method: streams declared here or made by hand, messages with an envelope and without, on
//! the broker inside the process and on a real server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::jetstream;
use natspubsub::prelude::*;
use natspubsub::{AppBuilder, RunningApp};
use natspubsub_tests::{Inspector, NatsServer, config, eventually, unique};
use serde::{Deserialize, Serialize};

const LIMIT: Duration = Duration::from_secs(20);

type Log = Arc<Mutex<Vec<String>>>;

fn note(log: &Log, text: impl Into<String>) {
    log.lock().unwrap().push(text.into());
}

fn sorted(log: &Log) -> Vec<String> {
    let mut log = log.lock().unwrap().clone();
    log.sort();
    log
}

#[stream(name = "RAW_MATCH", subjects = ["match.>"], retention = "interest", max_age = "1h", duplicate_window = "5m")]
struct RawMatch;

#[derive(Serialize, Deserialize)]
struct Found {
    rider: u32,
}

#[subject_subscriber("match.{city}.found", max_attempts = 2, backoff = "20ms")]
async fn on_found(found: Found, city: String, ctx: Context, State(log): State<Log>) -> Result<(), Failure> {
    note(&log, format!("{city} {} {} {}", found.rider, ctx.topic(), ctx.attempt()));
    if found.rider == 13 { Err(Failure::transient("no driver")) } else { Ok(()) }
}

#[subject_subscriber("match.${pod}.lost", envelope = false)]
async fn on_lost(found: Found, ctx: Context, State(log): State<Log>) {
    note(&log, format!("lost {} {}", found.rider, ctx.event_id()));
}

#[dead_letter_handler("match.>")]
async fn on_letter(letter: DeadLetter, ctx: Context, State(log): State<Log>) -> Result<(), Failure> {
    note(&log, format!("letter {} {} {}", letter.payload::<Found>()?.rider, ctx.topic(), ctx.subject()));
    Ok(())
}

fn matches(url: &str, log: &Log) -> AppBuilder {
    let config = Config::builder().url(url).env("test").app("raws").bind("pod", "pod-1").build().unwrap();
    App::builder().config(config).state(log.clone())
}

async fn start(builder: AppBuilder) -> Result<RunningApp> {
    natspubsub_tests::record_logs();
    builder.build()?.start().await
}

async fn raw_subjects_are_handled_like_topics(url: &str) {
    let log = Log::default();
    let builder = matches(url, &log).stream(RawMatch).subscriber(on_found {}).subscriber(on_letter {});
    let running = start(builder).await.unwrap();
    let publisher = running.publisher();
    for (city, rider) in [("Berlin", 1), ("Rome", 13)] {
        let sent = publisher.subject(format!("match.{city}.found")).send(&Found { rider }).await.unwrap();
        assert_eq!(sent.stream, "RAW_MATCH");
    }
    // Two of them, and the letter of the second.
    let stats = running.wait_until(|stats| stats.settled() == 3, LIMIT).await.unwrap();
    assert_eq!((stats.processed, stats.retried, stats.dead_lettered), (2, 1, 1), "{stats:?}");
    let expected = [
        "Berlin 1 match.Berlin.found 1",
        "Rome 13 match.Rome.found 1",
        "Rome 13 match.Rome.found 2",
        "letter 13 match.Rome.found test.dlq.raws.raws-on_found.match.Rome.found",
    ];
    assert_eq!(sorted(&log), expected);
    assert_eq!(publisher.dead_letters().replay_all().await.unwrap(), 1);
    let stats = running.wait_until(|stats| stats.settled() == 5, LIMIT).await.unwrap();
    assert_eq!((stats.processed, stats.dead_lettered), (3, 2), "it runs again and fails again: {stats:?}");
    assert!(running.shutdown().await.is_clean());
}

#[tokio::test]
async fn in_memory_raw_subjects_are_handled_like_topics() {
    raw_subjects_are_handled_like_topics(&format!("memory:{}", unique("raws"))).await;
}

#[tokio::test]
async fn on_a_server_raw_subjects_are_handled_like_topics() {
    let server = NatsServer::start().await;
    raw_subjects_are_handled_like_topics(&server.url()).await;
    let inspector = Inspector::connect(&server.url()).await;
    assert_eq!(inspector.consumer_names("RAW_MATCH").await, ["raws-on_found"]);
    assert_eq!(inspector.consumer("RAW_MATCH", "raws-on_found").await.config.max_deliver, -1);
    eventually("what was answered has left the interest stream", LIMIT, || async {
        inspector.messages("RAW_MATCH").await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_message_of_another_program_is_the_payload_itself() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let log = Log::default();
    let running = start(matches(&server.url(), &log).stream(RawMatch).subscriber(on_lost {}).subscriber(on_letter {}));
    let running = running.await.unwrap();
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Nats-Msg-Id", "lost-1");
    let send = |headers, body: &'static str| {
        inspector.jetstream.publish_with_headers("match.pod-1.lost", headers, body.into())
    };
    send(headers, "{\"rider\":1}").await.unwrap().await.unwrap();
    // An envelope to others, here a field that is not expected and one that is missing.
    send(async_nats::HeaderMap::new(), "{\"message\":{\"rider\":2}}").await.unwrap().await.unwrap();
    send(async_nats::HeaderMap::new(), "{\"rider\":3,\"message\":4}").await.unwrap().await.unwrap();
    let stats = running.wait_until(|stats| stats.settled() == 4, LIMIT).await.unwrap();
    assert_eq!((stats.dead_lettered, stats.processed), (1, 2), "{stats:?}");
    running.shutdown().await;
    assert_eq!(sorted(&log), ["lost 1 lost-1", "lost 3 RAW_MATCH:3"]);
    let letters = inspector.messages("test-raws-dlq").await;
    assert_eq!(letters[0].payload, "{\"message\":{\"rider\":2}}");
    assert_eq!(letters[0].headers.get("x-dlq-reason").unwrap().as_str(), "undecodable");
    assert_eq!(letters[0].headers.get("x-original-envelope").unwrap().as_str(), "none");
}

async fn make(inspector: &Inspector, name: &str, subjects: &[&str]) {
    let subjects = subjects.iter().map(|subject| (*subject).to_owned()).collect();
    let config = jetstream::stream::Config { name: name.into(), subjects, ..jetstream::stream::Config::default() };
    inspector.jetstream.create_stream(config).await.unwrap();
}

mod elsewhere {
    use super::*;

    #[subject_subscriber("match.{city}.found", durable = "patient", wait_for_stream = "20s")]
    pub(super) async fn patient(_found: Found, city: String, State(log): State<Log>) {
        note(&log, city);
    }

    #[subject_subscriber("match.*.found", durable = "hasty", wait_for_stream = "600ms")]
    pub(super) async fn hasty(_found: Found) {}

    #[subject_subscriber("match.*.found", durable = "named", stream = "RAW_OTHER")]
    pub(super) async fn named(_found: Found) {}

    #[subject_subscriber("match.>", durable = "wide")]
    pub(super) async fn wide(_found: Found, State(log): State<Log>) {
        note(&log, "wide");
    }

    #[topic_subscriber("order.created", durable = "copied", stream = "RAW_COPY")]
    pub(super) async fn copied(order: u32, ctx: Context, State(log): State<Log>) {
        note(&log, format!("{order} {} {}", ctx.topic(), ctx.stream()));
    }

    #[stream(name = "RAW_COPY", sources = ["test-raws-stream"])]
    pub(super) struct RawCopy;
}

#[tokio::test]
async fn a_stream_that_is_missing_is_a_fault_that_says_what_to_do() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let log = Log::default();
    let builder = || matches(&server.url(), &log);
    let both = start(builder().subscriber(on_found {}).subscriber(elsewhere::named {})).await.unwrap_err().to_string();
    assert!(both.contains("2 fault(s)"), "{both}");
    assert!(
        both.contains("on_found: there is no stream that takes match.*.found; declare one with #[stream(..)]"),
        "{both}"
    );
    assert!(
        both.contains("named: there is no stream \"RAW_OTHER\"; start the application that makes it first"),
        "{both}"
    );
    assert!(
        both.contains("wait_for_stream = \"60s\"") && both.contains("tests/subjects/raw_subscribers.rs:"),
        "{both}"
    );
    assert!(inspector.stream_names().await.is_empty(), "nothing was written");

    let late = start(builder().subscriber(elsewhere::hasty {})).await.unwrap_err().to_string();
    assert!(late.contains("there is no stream that takes match.*.found after 600ms (wait_for_stream)"), "{late}");

    make(&inspector, "RAW_OTHER", &["other.>"]).await;
    let wrong = start(builder().subscriber(elsewhere::named {})).await.unwrap_err().to_string();
    assert!(wrong.contains("the stream \"RAW_OTHER\" takes other.>, and nothing of \"match.*.found\""), "{wrong}");
    make(&inspector, "RAW_FOUND", &["match.*.found"]).await;
    make(&inspector, "RAW_LOST", &["match.*.lost"]).await;
    let wide = start(builder().subscriber(elsewhere::wide {})).await.unwrap_err().to_string();
    assert!(wide.contains("the subjects match.> lie in several streams: RAW_FOUND, RAW_LOST"), "{wide}");
}

/// Two applications that wait for each other's streams both start.
#[tokio::test]
async fn a_start_waits_for_the_stream_and_makes_its_own_before() {
    let server = NatsServer::start().await;
    let log = Log::default();
    let waiting = tokio::spawn(start(matches(&server.url(), &log).subscriber(elsewhere::patient {})));
    let inspector = Inspector::connect(&server.url()).await;
    eventually("the application's own stream is there", LIMIT, || async {
        inspector.stream_names().await.contains(&"test-raws-stream".to_owned()).then_some(())
    })
    .await;
    assert!(!waiting.is_finished());
    make(&inspector, "RAW_LATE", &["match.>"]).await;
    let running = waiting.await.unwrap().unwrap();
    assert!(running.report().contains("patient"), "{}", running.report());
    let sent = running.publisher().subject("match.Oslo.found").send(&Found { rider: 1 }).await.unwrap();
    assert_eq!(sent.stream, "RAW_LATE");
    running.wait_until(|stats| stats.processed == 1, LIMIT).await.unwrap();
    running.shutdown().await;
    assert_eq!(sorted(&log), ["Oslo"]);
}

#[tokio::test]
async fn a_topic_can_be_read_from_a_copy() {
    let server = NatsServer::start().await;
    let log = Log::default();
    let builder = matches(&server.url(), &log).stream(elsewhere::RawCopy).subscriber(elsewhere::copied {});
    let running = start(builder).await.unwrap();
    running.publisher().publish("order.created", &7).await.unwrap();
    running.wait_until(|stats| stats.processed == 1, LIMIT).await.unwrap();
    running.shutdown().await;
    assert_eq!(sorted(&log), ["7 order.created RAW_COPY"]);
}

mod same_name {
    use super::*;

    #[stream(name = "RAW_A", subjects = ["a.>"])]
    pub(super) struct A;

    #[stream(name = "RAW_B", subjects = ["b.>"])]
    pub(super) struct B;

    #[subject_subscriber("a.x", durable = "worker", max_attempts = 2, backoff = "20ms")]
    pub(super) async fn of_a(_job: u32) -> Result<(), Failure> {
        Err(Failure::transient("never"))
    }

    #[subject_subscriber("b.x", stream = "RAW_B", durable = "worker", max_attempts = 2, backoff = "20ms")]
    pub(super) async fn of_b(_job: u32) -> Result<(), Failure> {
        Err(Failure::transient("never"))
    }
}

/// The records of deliveries of two streams are not one, though their messages have one number and one durable name.
#[tokio::test]
async fn one_durable_name_on_two_streams_counts_attempts_apart() {
    let server = NatsServer::start().await;
    let log = Log::default();
    let builder = matches(&server.url(), &log).stream(same_name::A).stream(same_name::B);
    let running = start(builder.subscriber(same_name::of_a {}).subscriber(same_name::of_b {})).await.unwrap();
    for subject in ["a.x", "b.x"] {
        running.publisher().subject(subject).send(&1).await.unwrap();
    }
    let stats = running.wait_until(|stats| stats.settled() == 2, LIMIT).await.unwrap();
    running.shutdown().await;
    assert_eq!((stats.dead_lettered, stats.retried), (2, 2), "{stats:?}");
    let inspector = Inspector::connect(&server.url()).await;
    let records: Vec<String> =
        inspector.messages("KV_test-raws-releases").await.iter().map(|record| record.subject.to_string()).collect();
    for stream in ["RAW_A", "RAW_B"] {
        let key = format!("$KV.test-raws-releases.worker.{stream}.1.failed.1");
        assert!(records.contains(&key), "{key} in {records:?}");
    }
}

#[test]
fn a_pattern_that_no_declared_stream_holds_whole_is_told_at_the_build() {
    let builder = App::builder().config(config("memory:", "raws")).state(Log::default());
    let builder = builder.stream(same_name::A).stream(same_name::B).subscriber(elsewhere::named {});
    assert!(builder.build().is_ok(), "whether RAW_OTHER is there is not known without a server");
}

mod large {
    use super::*;

    #[stream(name = "RAW_LARGE", subjects = ["large.>"], retention = "interest", storage = "memory")]
    pub(super) struct RawLarge;

    #[subject_subscriber("large.one", envelope = false)]
    pub(super) async fn refuses(_body: Raw) -> Result<(), Failure> {
        Err(Failure::permanent("of no use"))
    }
}

/// A dead letter without its body refers to the original, which an interest stream deletes once it is answered.
#[tokio::test]
async fn what_fits_into_no_dead_letter_stays_where_it_would_be_deleted() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let builder = matches(&server.url(), &Log::default()).stream(large::RawLarge).subscriber(large::refuses {});
    let running = start(builder).await.unwrap();
    // One byte less than the server takes: the headers of a dead letter do not fit beside it.
    let body = vec![b'x'; (1 << 20) - 1];
    inspector.jetstream.publish("large.one", body.into()).await.unwrap().await.unwrap();
    eventually("the letter could not be stored", LIMIT, || async {
        running.health().problems.iter().any(|problem| problem.contains("store a dead letter failed")).then_some(())
    })
    .await;
    assert!(inspector.messages("test-raws-dlq").await.is_empty());
    assert_eq!(inspector.messages("RAW_LARGE").await.len(), 1, "nothing is lost");
    running.shutdown().await;
}
