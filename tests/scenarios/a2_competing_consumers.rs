//! Goal: processes that share one durable share its messages: nothing is lost, nothing runs twice without a fault, and
//! no process goes hungry. Method: eight worker processes with eight handlers each and one journal, all started before
//! 20,000 jobs are published.

use std::collections::BTreeMap;
use std::time::Duration;

use natspubsub_tests::{Inspector, Job, WorkerProcess, Workers, eventually};
use nix::sys::signal::Signal;

const LIMIT: Duration = Duration::from_secs(60);
const JOBS: u64 = 20_000;
const WORKERS: usize = 8;

/// The number in the last line that a worker prints.
fn processed(log: &str) -> u64 {
    let number = log.split("drained: processed=").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    number.unwrap_or_else(|| panic!("the worker has drained: {log}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a2_competing_consumers() {
    let scene = Workers::new(env!("CARGO_BIN_EXE_worker"), "a2").await;
    let names: Vec<String> = (0..WORKERS).map(|number| format!("w{number}")).collect();
    let variables = [("WORKER_PACE_MS", "1"), ("WORKER_QUIET", "yes")];
    let mut workers: Vec<WorkerProcess> = names.iter().map(|name| scene.start(name, &variables)).collect();
    // The start report is printed when the pull is open.
    eventually("every worker has started", LIMIT, || {
        let started = names.iter().all(|name| scene.log(name).contains("durable a2-work"));
        std::future::ready(started.then_some(()))
    })
    .await;

    scene.publish((0..JOBS).map(Job::work)).await;
    let inspector = Inspector::connect(&scene.server.url()).await;
    eventually("every message is settled", LIMIT, || async {
        inspector.is_settled("test-a2-stream", "a2-work").await.then_some(())
    })
    .await;
    let info = inspector.consumer("test-a2-stream", "a2-work").await;
    assert_eq!(info.delivered.consumer_sequence, JOBS, "one delivery for each message");
    for worker in &workers {
        worker.signal(Signal::SIGTERM);
    }
    for (worker, name) in workers.iter_mut().zip(&names) {
        let status = worker.exit(LIMIT).await;
        assert!(status.success(), "{name}: {status} {}", scene.log(name));
    }

    let observed = scene.observed(JOBS);
    let verdict = observed.assert_nothing_lost();
    assert_eq!(verdict.extra_runs, 0);
    assert_eq!(scene.journal.jobs("start").len() as u64, JOBS, "nothing was begun twice");
    assert_eq!(names.iter().map(|name| processed(&scene.log(name))).sum::<u64>(), JOBS);
    let mut shares: BTreeMap<String, u64> = BTreeMap::new();
    for entry in scene.journal.read().into_iter().filter(|entry| entry.what == "end") {
        *shares.entry(entry.worker).or_default() += 1;
    }
    assert_eq!(shares.len(), WORKERS, "{shares:?}");
    assert!(
        shares.values().all(|share| *share >= JOBS / 100),
        "every worker gets at least one in a hundred: {shares:?}"
    );
    assert_eq!(inspector.messages("test-a2-dlq").await.len(), 0);
}
