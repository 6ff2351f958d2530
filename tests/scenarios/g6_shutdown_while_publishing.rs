//! Goal: a shutdown answers everybody who publishes: a publish ends as stored or as `ShuttingDown`, none hangs and none
//! is in doubt; what is said to be stored is stored, and what is said not to be is not. Method: 64 tasks publish through the application's publisher without a pause, each until
//! it is refused; when 5,000 messages are confirmed the application is shut down under them; one more publishes after
//! its end.
//!
//! A relay of an outbox ends in the same way: that is another test.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use natspubsub::ErrorKind;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, eventually};
use tokio::time::timeout;

const TASKS: u64 = 64;
const CONFIRMED: usize = 5_000;

/// Above every number that a task can reach.
const STEP: u64 = 1_000_000;
const AFTER_THE_END: u64 = TASKS * STEP;

/// How long one attempt waits, and how many there are.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(2);
const PUBLISH_ATTEMPTS: u32 = 2;

/// All attempts with the pause between them, and room for two busy cores.
const BOUND: Duration = Duration::from_secs(10);

const LIMIT: Duration = Duration::from_secs(60);

/// What the publishers were told.
#[derive(Default)]
struct Told {
    stored: BTreeSet<u64>,
    refused: BTreeSet<u64>,
}

/// The application has something to drain.
#[topic_subscriber("note.made")]
async fn reads(_note: u64) {}

/// Publishes one note and notes the answer; `false` when it was refused.
async fn publish(publisher: &Publisher, note: u64, told: &Mutex<Told>) -> bool {
    let published = publisher.publish("note.made", &note).await;
    let mut told = told.lock().unwrap();
    match published {
        Ok(_) => told.stored.insert(note),
        Err(error) => {
            assert_eq!(error.kind(), &ErrorKind::ShuttingDown, "{error}");
            told.refused.insert(note);
            false
        }
    }
}

async fn publish_until_refused(publisher: Publisher, task: u64, told: Arc<Mutex<Told>>) {
    let mut note = task * STEP;
    while publish(&publisher, note, &told).await {
        note += 1;
    }
}

/// The numbers that the stream holds, each once.
async fn stored(url: &str) -> BTreeSet<u64> {
    let messages = Inspector::connect(url).await.messages("test-g6-stream").await;
    let number = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).unwrap()["message"].as_u64().unwrap();
    let stored: BTreeSet<u64> = messages.iter().map(|message| number(&message.payload)).collect();
    assert_eq!(stored.len(), messages.len(), "no message is stored twice");
    stored
}

#[tokio::test(flavor = "multi_thread")]
async fn g6_shutdown_while_publishing() {
    let server = NatsServer::start().await;
    let config = Config::builder().url(server.url()).env("test").app("g6");
    let config = config.publish_timeout(PUBLISH_TIMEOUT).publish_attempts(PUBLISH_ATTEMPTS).build().unwrap();
    let running = App::builder().config(config).subscriber(reads {}).build().unwrap().start().await.unwrap();
    let told = Arc::new(Mutex::new(Told::default()));
    let publisher = running.publisher().clone();
    let tasks: Vec<_> =
        (0..TASKS).map(|task| tokio::spawn(publish_until_refused(publisher.clone(), task, told.clone()))).collect();
    eventually("thousands are confirmed", LIMIT, || async {
        (told.lock().unwrap().stored.len() >= CONFIRMED).then_some(())
    })
    .await;
    assert!(!tasks.iter().any(tokio::task::JoinHandle::is_finished), "all publish when the shutdown begins");

    let report = running.shutdown().await;
    assert!(report.is_clean(), "{report:?}");
    let ended = timeout(BOUND, join_all(tasks)).await.expect("every publish has an answer in time");
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    let late = timeout(BOUND, publish(&publisher, AFTER_THE_END, &told)).await;
    assert_eq!(late, Ok(false), "after the end a publish is refused, and in time");

    let stored = stored(&server.url()).await;
    let told = told.lock().unwrap();
    assert_eq!(told.refused.len() as u64, TASKS + 1, "every task published until the shutdown refused it");
    let missing: Vec<_> = told.stored.difference(&stored).collect();
    assert!(missing.is_empty(), "said to be stored, and are not: {missing:?}");
    let unsaid: Vec<_> = stored.difference(&told.stored).collect();
    assert!(unsaid.is_empty(), "stored, and said not to be: {unsaid:?}");
}
