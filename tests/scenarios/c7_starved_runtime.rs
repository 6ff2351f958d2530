//! Goal: handlers that block every thread of the runtime for more than three times `ack_wait` make no message come
//! twice, and are named while they block. Method: a runtime of two threads and two subscribers; each has 25 messages
//! in hand, one of which sleeps on the thread for 10 s, so that both threads are blocked at once and the quick
//! messages wait behind. A handler that blocks beyond twice its timeout is stuck, and the health says so: its subscriber
//! handles nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use natspubsub::HealthStatus;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually};

/// For each of the two subscribers.
const JOBS: u64 = 25;

/// The job that blocks: some come before it, many wait behind it.
const BLOCKER: u64 = 5;

const BLOCKS: Duration = Duration::from_secs(10);
const ACK_WAIT: Duration = Duration::from_secs(3);
const LIMIT: Duration = Duration::from_secs(60);
const HANDLERS: [&str; 2] = ["red", "blue"];

/// What the handlers did.
#[derive(Clone, Default)]
struct Seen {
    runs: Arc<Mutex<BTreeMap<(&'static str, u64), u32>>>,
    /// From when to when each handler blocked its thread.
    blocked: Arc<Mutex<BTreeMap<&'static str, (Instant, Instant)>>>,
}

impl Seen {
    fn run(&self, handler: &'static str, job: u64) {
        *self.runs.lock().unwrap().entry((handler, job)).or_default() += 1;
        if job == BLOCKER {
            let begin = Instant::now();
            std::thread::sleep(BLOCKS);
            self.blocked.lock().unwrap().insert(handler, (begin, Instant::now()));
        }
    }
}

#[topic_subscriber("red.made", ack_wait = "3s", concurrency = 4, prefetch = 21)]
async fn red(job: u64, State(seen): State<Seen>) {
    seen.run("red", job);
}

#[topic_subscriber("blue.made", ack_wait = "3s", concurrency = 4, prefetch = 21)]
async fn blue(job: u64, State(seen): State<Seen>) {
    seen.run("blue", job);
}

/// Every line that is logged in this process, and when.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(Instant, String)>>>);

impl Log {
    /// Collects from now on, if nobody else in this process does; nextest runs each test in a process of its own.
    fn install() -> Option<Self> {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
        tracing::subscriber::set_global_default(subscriber).is_ok().then_some(log)
    }

    /// When it was said that this handler blocks its thread, each time.
    fn warnings(&self, handler: &str) -> Vec<Instant> {
        let (fault, name) = ("the handler blocks its thread", format!("handler=\"{handler}\""));
        let lines = self.0.lock().unwrap();
        lines.iter().filter(|(_, line)| line.contains(fault) && line.contains(&name)).map(|(at, _)| *at).collect()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().push((Instant::now(), String::from_utf8_lossy(bytes).into_owned()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c7_starved_runtime() {
    let log = Log::install();
    let server = NatsServer::start().await;
    let publisher = Publisher::connect(config(&server.url(), "c7")).await.unwrap();
    for job in 0..JOBS {
        publisher.publish("red.made", &job).await.unwrap();
        publisher.publish("blue.made", &job).await.unwrap();
    }
    let seen = Seen::default();
    let app = App::builder().config(config(&server.url(), "c7")).state(seen.clone());
    let running = app.subscriber(red {}).subscriber(blue {}).build().unwrap().start().await.unwrap();
    let stats = running.wait_until(|stats| stats.settled() == 2 * JOBS, LIMIT).await.unwrap();
    assert_eq!((stats.received, stats.processed), (2 * JOBS, 2 * JOBS), "no message came twice: {stats:?}");
    assert_eq!((stats.retried, stats.unanswered), (0, 0), "{stats:?}");
    assert!(running.shutdown().await.is_clean());

    let blocked = seen.blocked.lock().unwrap().clone();
    let begin = blocked.values().map(|(begin, _)| *begin).max().unwrap();
    let end = blocked.values().map(|(_, end)| *end).min().unwrap();
    let both = end.saturating_duration_since(begin);
    assert!(blocked.len() == 2 && both > 2 * ACK_WAIT, "both threads were blocked at once, for {both:?}");
    let runs = seen.runs.lock().unwrap().clone();
    assert_eq!(runs.len() as u64, 2 * JOBS, "every message ran");
    assert!(runs.values().all(|runs| *runs == 1), "and none twice: {runs:?}");

    let inspector = Inspector::connect(&server.url()).await;
    for handler in HANDLERS {
        let info = inspector.consumer("test-c7-stream", &format!("c7-{handler}")).await;
        assert_eq!(info.delivered.consumer_sequence, JOBS, "the server delivered each message of {handler} once");
        assert_eq!((info.num_pending, info.num_ack_pending), (0, 0), "{handler}");
        let Some(log) = &log else { continue };
        let warnings = log.warnings(handler);
        assert_eq!(warnings.len(), 1, "{handler} is named once");
        let (begin, end) = blocked[handler];
        assert!((begin..end).contains(&warnings[0]), "{handler} is named while it blocks");
    }
}

#[topic_subscriber("green.made", timeout = "1s", concurrency = 1)]
async fn green(job: u64) {
    if job == BLOCKER {
        std::thread::sleep(BLOCKS / 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c7_a_stuck_handler_is_not_healthy() {
    let server = NatsServer::start().await;
    let app = App::builder().config(config(&server.url(), "c7-stuck")).subscriber(green {});
    let running = app.build().unwrap().start().await.unwrap();
    running.publisher().publish("green.made", &BLOCKER).await.unwrap();
    let health = eventually("the health names the handler and the message", LIMIT, || {
        let health = running.health();
        std::future::ready((health.status == HealthStatus::Unhealthy).then_some(health))
    })
    .await;
    let problems = health.problems.join(", ");
    assert!(problems.contains("the handler green of c7-stuck-green is stuck with message 1"), "{problems}");
    assert_eq!(running.stats().settled(), 0, "it blocks still");
    running.wait_until(|stats| stats.settled() == 1, LIMIT).await.unwrap();
    eventually("it is healthy again", LIMIT, || {
        std::future::ready((running.health().status == HealthStatus::Healthy).then_some(()))
    })
    .await;
    assert!(running.shutdown().await.is_clean());
}
