//! Goal: after a restart of the server every worker of a shared durable receives again within 6 s, and none is idle for
//! longer than that while there is a backlog. (The client's own `messages()` starves peers for 17 to 20 s here.)
//! Method: three applications on one durable, 10,000 jobs, three graceful restarts: the first while every worker waits
//! with an open pull, the others in the middle of the backlog. Each run notes when it ended; the longest gap of each
//! worker in each stretch counts.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use natspubsub::RunningApp;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, Observed, eventually};

const JOBS: u64 = 10_000;
const WORKERS: usize = 3;
const IDLE_MAX: Duration = Duration::from_secs(6);
const LIMIT: Duration = Duration::from_secs(60);
const STREAM: &str = "test-b2-stream";
const DURABLE: &str = "b2-works";

/// Deliveries that one worker can have in hand.
const CAPACITY: usize = 4 + 4;

/// Three workers with four handlers each do no more than 343 jobs a second: 10,000 last 29 s.
const PACE: Duration = Duration::from_millis(35);

/// Jobs that are done when the second and the third restart come: each stretch of backlog lasts more than 8 s.
const SECOND_AT: usize = 3_000;
const THIRD_AT: usize = 6_200;

/// When one worker ended which job.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<(Instant, u64)>>>);

impl Diary {
    fn note(&self, job: u64) {
        let mut ends = self.0.lock().unwrap();
        ends.push((Instant::now(), job));
    }

    fn read(&self) -> Vec<(Instant, u64)> {
        self.0.lock().unwrap().clone()
    }

    /// The longest time without a run between the two moments.
    fn longest_idle(&self, from: Instant, to: Instant) -> Duration {
        let inside = self.read().into_iter().map(|(at, _)| at).filter(|at| *at > from && *at < to);
        let (mut last, mut longest) = (from, Duration::ZERO);
        for at in inside.chain([to]) {
            longest = longest.max(at - last);
            last = at;
        }
        longest
    }
}

#[topic_subscriber("job.created", ack_wait = "3s", concurrency = 4, prefetch = 4)]
async fn works(job: u64, State(diary): State<Diary>) {
    tokio::time::sleep(PACE).await;
    diary.note(job);
}

/// The moment when the server was told to stop, and the moment when it was ready again.
struct Restart {
    stopped: Instant,
    ready: Instant,
}

struct Scene {
    server: NatsServer,
    workers: Vec<RunningApp>,
    diaries: Vec<Diary>,
}

impl Scene {
    async fn start() -> Self {
        let server = NatsServer::start().await;
        let diaries: Vec<Diary> = (0..WORKERS).map(|_| Diary::default()).collect();
        let mut workers = Vec::new();
        for diary in &diaries {
            let config = Config::builder().url(server.url()).env("test").app("b2");
            let config = config.publish_timeout(Duration::from_secs(1)).build().unwrap();
            let app = App::builder().config(config).state(diary.clone()).subscriber(works {});
            workers.push(app.build().unwrap().start().await.unwrap());
        }
        Self { server, workers, diaries }
    }

    async fn inspector(&self) -> Inspector {
        Inspector::connect(&self.server.url()).await
    }

    async fn until_done(&self, count: usize) {
        let done = || self.diaries.iter().map(|diary| diary.0.lock().unwrap().len()).sum::<usize>();
        eventually("so many jobs are done", LIMIT, || ready((done() >= count).then_some(()))).await;
    }

    async fn restart(&mut self) -> Restart {
        let (before, stopped) = (self.server.process_id(), Instant::now());
        self.server.stop().await;
        self.server.restart().await;
        assert_ne!(self.server.process_id(), before, "another process");
        Restart { stopped, ready: Instant::now() }
    }

    async fn restart_with_a_backlog(&mut self) -> Restart {
        let info = self.inspector().await.consumer(STREAM, DURABLE).await;
        assert!(info.num_pending > 0 && info.num_ack_pending > 0, "there is a backlog, and work in hand: {info:?}");
        self.restart().await
    }

    /// The end of the backlog: from here on, everything that is left may be in hand.
    fn backlog_end(&self) -> Instant {
        let mut first: BTreeMap<u64, Instant> = BTreeMap::new();
        for (at, job) in self.diaries.iter().flat_map(Diary::read) {
            first.entry(job).and_modify(|earliest| *earliest = at.min(*earliest)).or_insert(at);
        }
        let mut ends: Vec<Instant> = first.into_values().collect();
        ends.sort_unstable();
        ends[ends.len() - 1 - WORKERS * CAPACITY]
    }

    fn observed(&self) -> Observed {
        let all: BTreeSet<u64> = (0..JOBS).collect();
        let handled = self.diaries.iter().flat_map(Diary::read).map(|(_, job)| job).collect();
        Observed { attempted: all.clone(), confirmed: all, handled, ..Observed::default() }
    }
}

/// Publishes every job, each until it is confirmed.
async fn publish_all(publisher: Publisher) {
    let publishing = (0..JOBS).map(move |job| publish(publisher.clone(), job));
    futures::stream::iter(publishing).buffer_unordered(50).for_each(ready).await;
}

async fn publish(publisher: Publisher, job: u64) {
    let id = format!("b2-{job}");
    while publisher.message(&job).topic("job.created").event_id(id.as_str()).publish().await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b2_a_restarted_server_starves_no_worker() {
    let mut scene = Scene::start().await;
    let inspector = scene.inspector().await;
    eventually("every worker waits with an open pull", LIMIT, || async {
        (inspector.consumer(STREAM, DURABLE).await.num_waiting >= WORKERS).then_some(())
    })
    .await;
    let first = scene.restart().await;
    let publishing = tokio::spawn(publish_all(scene.workers[0].publisher().clone()));
    scene.until_done(SECOND_AT).await;
    let second = scene.restart_with_a_backlog().await;
    scene.until_done(THIRD_AT).await;
    let third = scene.restart_with_a_backlog().await;

    tokio::time::timeout(LIMIT, publishing).await.expect("every job is confirmed in time").unwrap();
    let inspector = scene.inspector().await;
    eventually("everything is done", LIMIT, || async { inspector.is_settled(STREAM, DURABLE).await.then_some(()) })
        .await;
    let verdict = scene.observed().assert_nothing_lost();
    assert!(verdict.extra_runs <= 2 * WORKERS * CAPACITY, "only what was in hand ran again: {}", verdict.extra_runs);

    let stretches = [(first.ready, second.stopped), (second.ready, third.stopped), (third.ready, scene.backlog_end())];
    for (restart, (from, to)) in stretches.into_iter().enumerate() {
        assert!(to - from > IDLE_MAX, "the backlog lasted only {:?} after restart {restart}", to - from);
        for (worker, diary) in scene.diaries.iter().enumerate() {
            let idle = diary.longest_idle(from, to);
            assert!(idle <= IDLE_MAX, "worker {worker} was idle for {idle:?} after restart {restart}");
        }
    }
    for worker in scene.workers {
        assert!(worker.shutdown().await.is_clean());
    }
}
