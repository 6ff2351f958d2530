//! Goal: a handler that panics, in whatever way, costs one attempt and nothing else: the worker lives, its slots are free
//! again, no task is left behind, and after the last attempt the message is a dead letter with reason `panic`.
//! Method: five ways to panic; then as many messages as there are slots wait for each other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::jetstream::message::StreamMessage;
use futures::StreamExt;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::Barrier;

const LIMIT: Duration = Duration::from_secs(20);
const MESSAGES: u64 = 200;
const ATTEMPTS: u64 = 3;
const CONCURRENCY: u64 = 16;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Way {
    Fine,
    Panics,
    Unwraps,
    ThrowsValue,
    ThrowsBomb,
    PanicsInDrop,
    WaitsForOthers,
}

const WAYS: [Way; 5] = [Way::Panics, Way::Unwraps, Way::ThrowsValue, Way::ThrowsBomb, Way::PanicsInDrop];

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Job {
    number: u64,
    way: Way,
}

/// Panics when it is dropped, unless a panic is what drops it: two at once end the process.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "on purpose, in Drop");
    }
}

/// Runs of each message.
type Runs = Arc<Mutex<BTreeMap<u64, u64>>>;

#[topic_subscriber("job.created", concurrency = 16, max_attempts = 3, backoff = "20ms")]
async fn takes(job: Job, State(runs): State<Runs>, State(meeting): State<Arc<Barrier>>) {
    *runs.lock().unwrap().entry(job.number).or_default() += 1;
    match job.way {
        Way::Fine => {}
        Way::Panics => panic!("on purpose: {}", job.number),
        Way::Unwraps => {
            let _never: u32 = "seven".parse().unwrap();
        }
        Way::ThrowsValue => std::panic::panic_any(Box::new(7)),
        // Whoever catches it has to drop it.
        Way::ThrowsBomb => std::panic::panic_any(Bomb),
        Way::PanicsInDrop => {
            let _bomb = Bomb;
            tokio::task::yield_now().await;
        }
        Way::WaitsForOthers => {
            meeting.wait().await;
        }
    }
}

fn way(number: u64) -> Way {
    WAYS[number as usize % WAYS.len()]
}

/// What the dead letter says about the panic.
fn text(number: u64) -> String {
    match way(number) {
        Way::Panics => format!("on purpose: {number}"),
        Way::Unwraps => "InvalidDigit".to_owned(),
        Way::PanicsInDrop => "on purpose, in Drop".to_owned(),
        _ => "no message".to_owned(),
    }
}

async fn publish(publisher: &Publisher, jobs: impl IntoIterator<Item = Job>) {
    let publishing = jobs.into_iter().map(|job| async move { publisher.publish("job.created", &job).await.unwrap() });
    futures::stream::iter(publishing).buffer_unordered(50).for_each(|_| std::future::ready(())).await;
}

fn check_letters(letters: &[StreamMessage]) {
    let mut told: BTreeMap<u64, String> = BTreeMap::new();
    for letter in letters {
        let header = |name: &str| letter.headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default();
        assert_eq!((header("x-dlq-reason"), header("x-deliveries")), ("panic".to_owned(), ATTEMPTS.to_string()));
        let body: serde_json::Value = serde_json::from_slice(&letter.payload).unwrap();
        told.insert(body["message"]["number"].as_u64().unwrap(), header("x-dlq-error"));
    }
    assert_eq!((letters.len() as u64, told.len() as u64), (MESSAGES, MESSAGES), "one letter for each message");
    for (number, error) in told {
        let wanted = text(number);
        assert!(error.contains(&wanted), "message {number}: {error:?} does not say {wanted:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d7_handler_panics() {
    let server = NatsServer::start().await;
    let (runs, meeting) = (Runs::default(), Arc::new(Barrier::new(CONCURRENCY as usize)));
    let app = App::builder().config(config(&server.url(), "d7")).state(runs.clone()).state(meeting);
    let running = app.subscriber(takes {}).build().unwrap().start().await.unwrap();
    // Everything is up before tasks are counted.
    publish(running.publisher(), [Job { number: MESSAGES, way: Way::Fine }]).await;
    running.wait_until(|stats| stats.processed == 1, LIMIT).await.unwrap();
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let tasks_before = tasks();
    assert!(tasks_before > 0, "the worker is a task");

    publish(running.publisher(), (0..MESSAGES).map(|number| Job { number, way: way(number) })).await;
    let stats = running.wait_until(|stats| stats.dead_lettered == MESSAGES, LIMIT).await.unwrap();
    let counted = (stats.processed, stats.retried, stats.discarded);
    assert_eq!(counted, (1, MESSAGES * (ATTEMPTS - 1), 0), "{stats:?}");
    let counted = runs.lock().unwrap().clone();
    assert!((0..MESSAGES).all(|number| counted[&number] == ATTEMPTS), "each ran {ATTEMPTS} times: {counted:?}");
    eventually("no task is left behind", LIMIT, || std::future::ready((tasks() <= tasks_before).then_some(()))).await;

    // None of them ends before all of them run: a slot that a panic has kept would leave them waiting.
    let all_at_once = (0..CONCURRENCY).map(|index| Job { number: MESSAGES + 1 + index, way: Way::WaitsForOthers });
    publish(running.publisher(), all_at_once).await;
    let stats = running.wait_until(|stats| stats.processed == 1 + CONCURRENCY, LIMIT).await.unwrap();
    assert_eq!(stats.dead_lettered, MESSAGES, "{stats:?}");
    assert!(running.shutdown().await.is_clean());

    let inspector = Inspector::connect(&server.url()).await;
    check_letters(&inspector.messages("test-d7-dlq").await);
    eventually("nothing is left", LIMIT, || async {
        inspector.is_settled("test-d7-stream", "d7-takes").await.then_some(())
    })
    .await;
}
