//! Goal: handlers that outlast `shutdown_timeout` are cut off at that time and their jobs go to a peer at once; a
//! second SIGTERM ends the process at once. Neither loses a job. Method: four jobs that take a minute; in the first
//! test a peer waits for work and `ack_wait` is 30 s, so that only what is given back can reach it; in the second one
//! the process is started again after its end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use natspubsub_tests::{Inspector, Job, Workers, eventually};
use nix::sys::signal::Signal;

const JOBS: u64 = 4;
const GRACE: Duration = Duration::from_secs(1);

/// Giving back, flushing and closing after the grace, on two busy cores.
const AFTER_GRACE: Duration = Duration::from_secs(3);

/// How long a peer that waits for work may take to have what was given back.
const AT_ONCE: Duration = Duration::from_secs(2);

const LIMIT: Duration = Duration::from_secs(60);
const QUEUED: (&str, &str) = ("WORKER_SUBSCRIBER", "queued");
const MINUTE: (&str, &str) = ("WORKER_PACE_MS", "60000");

/// The jobs of one worker's lines of one kind, sorted.
fn jobs_of(scene: &Workers, worker: &str, what: &str) -> Vec<u64> {
    let lines = scene.journal.read().into_iter();
    let mut jobs: Vec<u64> =
        lines.filter(|line| line.worker == worker && line.what == what).map(|line| line.job).collect();
    jobs.sort_unstable();
    jobs
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_handlers_longer_than_the_grace() {
    let scene = Workers::new(env!("CARGO_BIN_EXE_worker"), "g3").await;
    let all: Vec<u64> = (0..JOBS).collect();
    scene.publish(all.iter().copied().map(Job::work)).await;
    let mut first = scene.start("first", &[QUEUED, MINUTE, ("NATSPUBSUB_SHUTDOWN_TIMEOUT", "1s")]);
    scene.wait_for("start", all.len()).await;
    let _peer = scene.start("peer", &[QUEUED]);
    eventually("the peer waits for work", LIMIT, || async {
        scene.log("peer").contains("(durable g3-queued").then_some(())
    })
    .await;

    let signalled = Instant::now();
    first.signal(Signal::SIGTERM);
    let status = first.exit(GRACE + AFTER_GRACE).await;
    let drained = signalled.elapsed();
    assert!(status.success(), "what is given back is not lost: {status} {}", scene.log("first"));
    assert!(drained >= GRACE, "the handlers had their time: {drained:?}");
    eventually("the peer has done them", AT_ONCE, || async { (jobs_of(&scene, "peer", "end") == all).then_some(()) })
        .await;
    assert_eq!(jobs_of(&scene, "first", "start"), all, "all four ran when the signal came");
    assert!(jobs_of(&scene, "first", "end").is_empty(), "none of them outlived the grace");

    let inspector = Inspector::connect(&scene.server.url()).await;
    eventually("everything is settled", LIMIT, || async {
        inspector.is_settled("test-g3-stream", "g3-queued").await.then_some(())
    })
    .await;
    let records = inspector.messages("KV_test-g3-releases").await;
    let released = records.iter().filter(|record| !record.subject.contains(".at_work.")).count();
    assert_eq!(released as u64, JOBS, "four were cut off, and that is recorded: they are no attempts");
    assert_eq!(scene.observed(JOBS).assert_nothing_lost().extra_runs, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_second_signal() {
    let scene = Workers::new(env!("CARGO_BIN_EXE_worker"), "g3second").await;
    scene.publish((0..JOBS).map(Job::work)).await;
    let mut first = scene.start("first", &[MINUTE]);
    scene.wait_for("start", JOBS as usize).await;
    first.signal(Signal::SIGTERM);
    eventually("the drain has begun", LIMIT, || async {
        scene.log("first").contains("a second signal exits at once").then_some(())
    })
    .await;
    first.signal(Signal::SIGTERM);
    let status = first.exit(Duration::from_secs(1)).await;
    assert_eq!(status.code(), Some(130), "{}", scene.log("first"));
    assert!(jobs_of(&scene, "first", "end").is_empty(), "all four ran when it came");

    let _again = scene.start("again", &[]);
    scene.wait_for("end", JOBS as usize).await;
    let inspector = Inspector::connect(&scene.server.url()).await;
    eventually("everything is settled", LIMIT, || async {
        inspector.is_settled("test-g3second-stream", "g3second-work").await.then_some(())
    })
    .await;
    scene.observed(JOBS).assert_nothing_lost();
    let ended: BTreeSet<u64> = jobs_of(&scene, "again", "end").into_iter().collect();
    assert_eq!(ended.len() as u64, JOBS, "the new process did all of them");
    assert_eq!(inspector.messages("test-g3second-dlq").await.len(), 0, "nothing was condemned");
}
