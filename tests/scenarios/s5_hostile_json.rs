//! Goal: JSON that is made to cost does not: no stack overflows, memory grows by less than 64 MiB, and each message ends as
//! a dead letter with the same bytes, while a good one behind them is handled.
//! Method: 55 messages on a real server that takes large ones: 200,000 arrays inside each other, an object with a million
//! keys as body and as metadata, a million times one key, fields that stand twice, numbers that are none. The peak of this
//! process's memory is the kernel's own count; the bodies lie in it before, and are shared.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, begin_peak, config, is_alone, peak_resident_kib};
use serde::Deserialize;

const LIMIT: Duration = Duration::from_secs(60);
/// How often each body comes; those of a million keys take their time.
const TIMES: u64 = 7;
const TIMES_OF_LARGE: u64 = 2;
const KEYS: usize = 1_000_000;
const GROWTH_MAX_KIB: u64 = 64 * 1_024;
const SUBJECT: &str = "test.s5.reading.taken";

#[derive(Debug, Deserialize)]
struct Reading {
    number: u64,
    value: f64,
}

type Sum = Arc<AtomicU64>;

/// One in hand beside the running one: how much memory messages may take together is what an application says by these.
#[topic_subscriber("reading.taken", concurrency = 1, prefetch = 1)]
async fn takes(reading: Reading, State(sum): State<Sum>) {
    assert!(reading.value.is_finite());
    sum.fetch_add(reading.number, Ordering::Relaxed);
}

fn times(Raw(body): &Raw) -> u64 {
    if body.len() > KEYS { TIMES_OF_LARGE } else { TIMES }
}

/// An object with a million keys.
fn wide() -> String {
    let keys: Vec<String> = (0..KEYS).map(|key| format!("\"{key:06}\":0")).collect();
    format!("{{{}}}", keys.join(","))
}

/// Ten bodies that cannot be read, and what the dead letter says.
fn hostile() -> Vec<(Raw, &'static str)> {
    let (wide, deep) = (wide(), "[".repeat(200_000));
    let good = r#"{"number":1,"value":1.0}"#;
    let number = |value: &str| format!(r#"{{"message":{{"number":1,"value":{value}}}}}"#);
    let bodies = [
        (deep.clone(), "deeper than 64"),
        (format!(r#"{{"message":{good},"x":{deep}{}}}"#, "]".repeat(200_000)), "deeper than 64"),
        (format!(r#"{{"message":{wide}}}"#), "missing field"),
        (format!(r#"{{"message":{good},"metadata":{wide}}}"#), "metadata"),
        (format!(r#"{{"message":{{"number":1,{}"value":1.0}}}}"#, r#""number":1,"#.repeat(KEYS)), "duplicate field"),
        (format!(r#"{{"message":{good},"message":{good}}}"#), "duplicate field `message`"),
        (number("NaN"), "no envelope"),
        (number("1e400"), "out of range"),
        (number("-Infinity"), "no envelope"),
        (number(&"9".repeat(400)), "out of range"),
    ];
    bodies.into_iter().map(|(body, fault)| (Raw(body.into_bytes().into()), fault)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s5_hostile_json() {
    // The client writes what it receives to the log at TRACE; the memory of that is not what is measured.
    let _ = tracing::subscriber::set_global_default(tracing::subscriber::NoSubscriber::new());
    let server = NatsServer::start_with("max_payload: 16MB").await;
    let inspector = Inspector::connect(&server.url()).await;
    let (sum, hostile) = (Sum::default(), hostile());
    let app = App::builder().config(config(&server.url(), "s5")).state(sum.clone()).subscriber(takes {});
    let running = app.build().unwrap().start().await.unwrap();
    let publish = async |Raw(body): Raw| inspector.jetstream.publish(SUBJECT, body).await.unwrap().await.unwrap();
    let good = Raw(format!(r#"{{"message":{{"number":7,"value":0.5}},"x":{}}}"#, wide()).into_bytes().into());
    let begun = begin_peak();
    for round in 0..TIMES {
        for (body, _) in hostile.iter().filter(|(body, _)| round < times(body)) {
            publish(body.clone()).await;
        }
    }
    publish(good).await;
    let messages: u64 = hostile.iter().map(|(body, _)| times(body)).sum();
    assert_eq!(messages, 55, "seven bodies of one size and three of the other");
    let stats = running.wait_until(|stats| stats.settled() == messages + 1, LIMIT).await.unwrap();
    let growth = peak_resident_kib().saturating_sub(begun);
    assert_eq!((stats.processed, stats.dead_lettered, stats.retried), (1, messages, 0), "{stats:?}");
    assert_eq!(sum.load(Ordering::Relaxed), 7, "only the good one reached the handler");
    assert!(running.shutdown().await.is_clean());
    assert!(growth < GROWTH_MAX_KIB || !is_alone(), "memory grew by {growth} KiB");

    let mut letters: HashMap<Vec<u8>, Vec<String>> = HashMap::new();
    for letter in inspector.messages("test-s5-dlq").await {
        let header = |name: &str| letter.headers.get(name).map(|value| value.to_string()).unwrap_or_default();
        let story = format!("{} {}", header("x-dlq-reason"), header("x-dlq-error"));
        letters.entry(letter.payload.to_vec()).or_default().push(story);
    }
    for (Raw(body), fault) in &hostile {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
        let stories = letters.get(&body[..]).unwrap_or_else(|| panic!("{shown} is not there with its bytes"));
        assert_eq!(stories.len() as u64, times(&Raw(body.clone())), "{shown}");
        assert!(stories.iter().all(|story| story.starts_with("undecodable") && story.contains(fault)), "{stories:?}");
    }
}
