//! Goal: messages of one key run in the order in which they were stored, one after the other, though one in twenty
//! fails and is tried again. Method: 16 keys of 500 messages. One application with many handlers keeps the order of a
//! key while keys overtake each other (lanes). Three applications on one durable with `concurrency = 1` keep it across
//! processes, and with it the order of all messages; they get 25 s, and what they have not done by then still waits.
//! A message that fails is tried again in its place, in hand: no NAK reaches the server before a shutdown.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually, inversions, mixed};
use serde::{Deserialize, Serialize};

const LIMIT: Duration = Duration::from_secs(60);
const KEYS: u64 = 16;
const EACH: u64 = 500;
const MESSAGES: u64 = KEYS * EACH;

/// How long the strict variant may work, and what it must have done by then.
const STRICT_TIME: Duration = Duration::from_secs(25);
const STRICT_LEAST: u64 = 2_000;

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Step {
    key: u64,
    number: u64,
}

impl Step {
    /// One in twenty.
    fn fails_at_first(self) -> bool {
        mixed((self.key << 32) | self.number).is_multiple_of(20)
    }
}

#[derive(Default)]
struct Ledger {
    /// Every run that began, in order: key and number.
    runs: Vec<(u64, u64)>,
    /// Every run that succeeded, in order: one key for all, and the sequence in the stream.
    done: Vec<(u64, u64)>,
    failures: u64,
    running: BTreeMap<u64, u32>,
    most_at_once: u32,
    parallel: u32,
}

impl Ledger {
    fn begin(&mut self, step: Step) {
        self.runs.push((step.key, step.number));
        let of_key = self.running.entry(step.key).or_default();
        *of_key += 1;
        self.parallel += u32::from(*of_key > 1);
        self.most_at_once = self.most_at_once.max(self.running.values().sum());
    }

    fn end(&mut self, step: Step, context: &Context) -> Result<(), std::io::Error> {
        *self.running.entry(step.key).or_default() -= 1;
        if step.fails_at_first() && context.attempt() == 1 {
            self.failures += 1;
            return Err(std::io::Error::other("not now"));
        }
        self.done.push((0, context.sequence()));
        Ok(())
    }
}

type Shared = Arc<Mutex<Ledger>>;

#[topic_subscriber(
    "step.made",
    ordered_by = "key",
    concurrency = 8,
    backoff = "10ms",
    jitter = false,
    max_attempts = 20,
    ack_wait = "10s"
)]
async fn lanes(step: Step, context: Context, State(ledger): State<Shared>) -> Result<(), std::io::Error> {
    ledger.lock().unwrap().begin(step);
    tokio::time::sleep(Duration::from_millis(mixed(step.number) % 3)).await;
    ledger.lock().unwrap().end(step, &context)
}

#[topic_subscriber(
    "step.made",
    ordered_by = "key",
    concurrency = 1,
    backoff = "10ms",
    jitter = false,
    max_attempts = 20,
    ack_wait = "10s"
)]
async fn strict(step: Step, context: Context, State(ledger): State<Shared>) -> Result<(), std::io::Error> {
    ledger.lock().unwrap().begin(step);
    tokio::task::yield_now().await;
    ledger.lock().unwrap().end(step, &context)
}

/// Keys at once, the numbers of a key one after the other. Returns how many of them will fail.
async fn publish(url: &str, app: &str) -> u64 {
    let publisher = Publisher::connect(config(url, app)).await.unwrap();
    let publisher = &publisher;
    let keys = (0..KEYS).map(|key| async move {
        let mut failing = 0;
        for number in 0..EACH {
            let step = Step { key, number };
            failing += u64::from(step.fails_at_first());
            publisher.publish("step.made", &step).await.expect("the step is stored");
        }
        failing
    });
    futures::future::join_all(keys).await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a6_ordered_key_in_lanes() {
    let server = NatsServer::start().await;
    let failing = publish(&server.url(), "a6-lanes").await;
    assert!(failing > MESSAGES / 40, "the failures are there: {failing}");
    let ledger = Shared::default();
    let app = App::builder().config(config(&server.url(), "a6-lanes")).state(ledger.clone()).subscriber(lanes {});
    let running = app.build().unwrap().start().await.unwrap();
    let stats = running.wait_until(|stats| stats.settled() == MESSAGES, LIMIT).await.unwrap();
    assert_eq!((stats.processed, stats.dead_lettered), (MESSAGES, 0), "{stats:?}");
    assert_eq!((stats.received, stats.retried), (MESSAGES, failing), "tried again in hand: {stats:?}");
    assert!(running.shutdown().await.is_clean());

    let ledger = ledger.lock().unwrap();
    assert_eq!(inversions(&ledger.runs), 0, "no key is out of order, not even in runs that failed");
    assert_eq!(ledger.parallel, 0, "no two of a key at once");
    assert!(ledger.most_at_once > 1, "different keys ran at once");
    assert!(inversions(&ledger.done) > 0, "keys overtook each other");
    assert_eq!((ledger.failures, ledger.done.len() as u64), (failing, MESSAGES));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a6_ordered_key_across_processes() {
    let server = NatsServer::start().await;
    publish(&server.url(), "a6-strict").await;
    let ledger = Shared::default();
    let mut running = Vec::new();
    for _ in 0..3 {
        let app = App::builder().config(config(&server.url(), "a6-strict")).state(ledger.clone()).subscriber(strict {});
        running.push(app.build().unwrap().start().await.unwrap());
    }
    let begun = Instant::now();
    eventually("everything is done, or the time is over", STRICT_TIME * 2, || {
        let done = ledger.lock().unwrap().done.len() as u64;
        std::future::ready((done == MESSAGES || begun.elapsed() > STRICT_TIME).then_some(()))
    })
    .await;
    let mut reports = Vec::new();
    for app in running {
        reports.push(app.shutdown().await);
    }
    let info = Inspector::connect(&server.url()).await.consumer("test-a6-strict-stream", "a6-strict-strict").await;

    let ledger = std::mem::take(&mut *ledger.lock().unwrap());
    let done = ledger.done.len() as u64;
    assert!(done >= STRICT_LEAST, "{done} of {MESSAGES} in {STRICT_TIME:?}");
    assert!(ledger.failures >= done / 40, "the failures happened: {} in {done}", ledger.failures);
    assert_eq!(inversions(&ledger.runs), 0, "no key is out of order, not even in runs that failed");
    assert_eq!(inversions(&ledger.done), 0, "nor is anything else");
    assert_eq!(ledger.most_at_once, 1, "one message at a time in all three");
    assert!(ledger.done.is_sorted_by(|one, next| one < next), "nothing succeeded twice");
    assert!(reports.iter().all(|report| report.is_clean() && report.processed > 0), "all three worked: {reports:?}");
    assert_eq!(reports.iter().map(|report| report.processed).sum::<u64>(), done, "{reports:?}");
    assert_eq!(reports.iter().map(|report| report.dead_lettered).sum::<u64>(), 0, "{reports:?}");
    assert_eq!(info.num_pending + info.num_ack_pending as u64 + done, MESSAGES, "nothing is lost");
}
