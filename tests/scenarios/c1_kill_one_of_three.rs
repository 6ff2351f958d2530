//! Goal: workers that are killed one after the other lose nothing, condemn nothing, and only what the killed one had
//! in hand runs again. Method: three processes on one durable, 20,000 jobs of 5 ms in waves, and in the middle of each
//! wave `kill -9` for the oldest process, which is replaced at once: one kill every 3 s for 48 s.
//!
//! What was in hand at a kill may run twice: with an inbox its effects are exactly once, and that is another test.

use std::collections::{BTreeSet, VecDeque};
use std::future::ready;
use std::ops::Range;
use std::time::Duration;

use futures::StreamExt;
use natspubsub::Publisher;
use natspubsub_tests::{Inspector, Job, WorkerProcess, Workers, eventually};
use tokio::time::MissedTickBehavior;

const JOBS: u64 = 20_000;
const KILLS: u64 = 16;
const WAVE: u64 = JOBS / KILLS;
const BETWEEN_KILLS: Duration = Duration::from_secs(3);
const WORKERS: u64 = 3;

/// What one worker runs at once, and what it holds: concurrency and prefetch of the worker process.
const RUNNING_MAX: usize = 8;
const IN_HAND_MAX: usize = 16;

const LIMIT: Duration = Duration::from_secs(60);
const STREAM: &str = "test-c1-stream";
const DURABLE: &str = "c1-work";

async fn publish(publisher: &Publisher, jobs: Range<u64>) {
    let publishing = futures::stream::iter(jobs).map(|number| {
        let publisher = publisher.clone();
        async move { publisher.publish("job.created", &Job::work(number)).await.expect("the job is published") }
    });
    publishing.buffer_unordered(200).for_each(|_| ready(())).await;
}

/// Waits until that many jobs were delivered to anybody: the stream holds nothing else.
async fn delivered(inspector: &Inspector, jobs: u64) {
    eventually("the middle of the wave", LIMIT, || async {
        (inspector.consumer(STREAM, DURABLE).await.delivered.stream_sequence >= jobs).then_some(())
    })
    .await;
}

/// Waits until every worker asks for messages; before that nobody has made the consumer.
async fn all_pull(inspector: &Inspector) {
    eventually("every worker pulls", LIMIT, || async {
        let stream = inspector.jetstream.get_stream(STREAM).await.ok()?;
        let info = stream.consumer_info(DURABLE).await.ok()?;
        (info.num_waiting as u64 >= WORKERS).then_some(())
    })
    .await;
}

/// Publishes the waves and kills a worker in each; returns the names of the killed ones.
async fn kill_in_every_wave(scene: &Workers, inspector: &Inspector) -> Vec<String> {
    let publisher = scene.publisher().await;
    let start = |number: u64| {
        let name = format!("worker-{number}");
        let process = scene.start(&name, &[("WORKER_QUIET", "yes")]);
        (name, process)
    };
    let mut workers: VecDeque<(String, WorkerProcess)> = (0..WORKERS).map(start).collect();
    all_pull(inspector).await;
    let mut killed = Vec::new();
    let mut pace = tokio::time::interval(BETWEEN_KILLS);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for kill in 0..KILLS {
        pace.tick().await;
        let killing = async {
            delivered(inspector, kill * WAVE + WAVE / 4).await;
            let (name, oldest) = workers.pop_front().expect("three workers run");
            oldest.kill();
            workers.push_back(start(WORKERS + kill));
            killed.push(name);
        };
        tokio::join!(killing, publish(&publisher, kill * WAVE..(kill + 1) * WAVE));
    }
    eventually("everything is settled", LIMIT, || async { inspector.is_settled(STREAM, DURABLE).await.then_some(()) })
        .await;
    killed
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_kill_one_of_three() {
    let scene = Workers::new(env!("CARGO_BIN_EXE_worker"), "c1").await;
    let inspector = Inspector::connect(&scene.server.url()).await;
    let killed = kill_in_every_wave(&scene, &inspector).await;
    assert_eq!(killed.len() as u64, KILLS);

    let entries = scene.journal.read();
    let lines =
        |worker: &str, what: &str| entries.iter().filter(|entry| entry.worker == worker && entry.what == what).count();
    let in_flight: Vec<usize> = killed.iter().map(|name| lines(name, "start") - lines(name, "end")).collect();
    assert!(in_flight.iter().all(|running| *running <= RUNNING_MAX), "{in_flight:?}");
    // Between two jobs a worker runs none for a moment, and a kill may fall into one.
    let in_the_middle = in_flight.iter().filter(|running| **running > 0).count();
    assert!(in_the_middle * 4 >= killed.len() * 3, "the kills came in the middle of handlers: {in_flight:?}");

    scene.observed(JOBS).assert_nothing_lost();
    let runs = scene.journal.jobs("start");
    let jobs: BTreeSet<u64> = runs.iter().copied().collect();
    let extra_runs = runs.len() - jobs.len();
    assert!(
        extra_runs >= in_flight.iter().sum::<usize>(),
        "what a kill interrupted ran again: {extra_runs} {in_flight:?}"
    );
    let in_hand = killed.len() * IN_HAND_MAX;
    assert!(extra_runs <= in_hand, "only what was in hand ran again: {extra_runs} > {in_hand}");
    assert_eq!(inspector.messages("test-c1-dlq").await.len(), 0, "nothing was condemned");
}
