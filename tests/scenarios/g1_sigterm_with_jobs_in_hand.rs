//! Goal: SIGTERM finishes what runs, gives back what waits, and leaves no acknowledgement behind. Method: a worker
//! with 8 jobs running and 50 in its queue, whose shutdown has time for the first but not for all of the others; then
//! a second worker, which must have what was given back within a second, though `ack_wait` is 30 s.

use std::collections::BTreeSet;
use std::time::Duration;

use natspubsub_tests::{Inspector, Job, Mode, Proxy, Workers, eventually};
use nix::sys::signal::Signal;

const JOBS: u64 = 500;
const RUNNING: usize = 8;
const BUFFERED: usize = 50;

/// Two rounds of running jobs end within `shutdown_timeout`; all that waits behind them is given back.
const GIVEN_BACK_MIN: usize = BUFFERED - RUNNING - 2;

/// `shutdown_timeout` of 500 ms, and room for what follows on two busy cores.
const EXIT_LIMIT: Duration = Duration::from_secs(5);

const LIMIT: Duration = Duration::from_secs(60);
const QUEUED: (&str, &str) = ("WORKER_SUBSCRIBER", "queued");
const PACE: (&str, &str) = ("WORKER_PACE_MS", "300");

/// One after the other, so that job `n` has the stream sequence `n + 1`.
async fn publish_in_order(scene: &Workers, jobs: u64) {
    let publisher = scene.publisher().await;
    for number in 0..jobs {
        publisher.publish("job.created", &Job::work(number)).await.unwrap();
    }
}

/// The jobs that have started and not ended.
fn in_flight(scene: &Workers) -> BTreeSet<u64> {
    let mut running = BTreeSet::new();
    for line in scene.journal.read() {
        match line.what.as_str() {
            "start" => running.insert(line.job),
            _ => running.remove(&line.job),
        };
    }
    running
}

/// Starts the first worker, ends it with everything in hand, and returns the jobs that it gave back.
async fn end_with_jobs_in_hand(scene: &Workers, inspector: &Inspector) -> BTreeSet<u64> {
    let mut first = scene.start("first", &[QUEUED, PACE, ("NATSPUBSUB_SHUTDOWN_TIMEOUT", "500ms")]);
    scene.wait_for("start", RUNNING).await;
    eventually("the worker's hands are full", LIMIT, || async {
        let info = inspector.consumer("test-g1-stream", "g1-queued").await;
        (info.num_ack_pending == RUNNING + BUFFERED).then_some(())
    })
    .await;
    let running = in_flight(scene);
    first.signal(Signal::SIGTERM);
    let status = first.exit(EXIT_LIMIT).await;
    assert!(status.success(), "{status} {}", scene.log("first"));
    assert_eq!(running.len(), RUNNING, "the signal came while jobs ran");

    let info = inspector.consumer("test-g1-stream", "g1-queued").await;
    let ended: BTreeSet<u64> = scene.journal.jobs("end").into_iter().collect();
    assert!(running.is_subset(&ended), "what ran has ended: {running:?} {ended:?}");
    let acknowledged = JOBS - info.num_pending - info.num_ack_pending as u64;
    assert_eq!(acknowledged, ended.len() as u64, "every acknowledgement is on the server, and no other one");
    let given_back: BTreeSet<u64> = (0..info.delivered.stream_sequence).filter(|job| !ended.contains(job)).collect();
    assert_eq!(given_back.len(), info.num_ack_pending, "all that was delivered has ended or waits to come again");
    assert!(given_back.len() >= GIVEN_BACK_MIN, "the queue was given back: {}", given_back.len());
    given_back
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_sigterm_with_jobs_in_hand() {
    let scene = Workers::new(env!("CARGO_BIN_EXE_worker"), "g1").await;
    let inspector = Inspector::connect(&scene.server.url()).await;
    publish_in_order(&scene, JOBS).await;
    let given_back = end_with_jobs_in_hand(&scene, &inspector).await;

    let _peer = scene.start("peer", &[QUEUED]);
    eventually("everything is settled", LIMIT, || async {
        inspector.is_settled("test-g1-stream", "g1-queued").await.then_some(())
    })
    .await;
    let lines = scene.journal.read();
    let of_peer = || lines.iter().filter(|line| line.worker == "peer" && line.what == "start");
    let there = of_peer().map(|line| line.at_ms).min().unwrap();
    let again: Vec<_> = of_peer().filter(|line| given_back.contains(&line.job)).collect();
    assert_eq!(again.len(), given_back.len(), "the peer ran each job that was given back, once");
    // The peer was started after the end of the first worker: its time counts from its first job.
    let waited = again.iter().map(|line| line.at_ms).max().unwrap() - there;
    assert!(waited <= 1_000, "at once, not after ack_wait: {waited} ms");
    let verdict = scene.observed(JOBS).assert_nothing_lost();
    assert_eq!(verdict.extra_runs, 0, "what had ended did not run again");
}

/// On a slow wire an application is still starting its last subscriber when the first could run already.
#[tokio::test(flavor = "multi_thread")]
async fn g1_a_signal_during_the_start_cuts_no_job_off() {
    const ROUNDS: usize = 3;
    let scene = Workers::new(env!("CARGO_BIN_EXE_worker"), "g1start").await;
    let proxy = Proxy::to(scene.server.address()).await;
    proxy.set(Mode::Latency(Duration::from_millis(100)));
    let url = proxy.url();
    for round in 1..=ROUNDS {
        let all = round * RUNNING;
        scene.publish(((all - RUNNING)..all).map(|number| Job::work(number as u64))).await;
        let name = format!("worker-{round}");
        let mut worker = scene.start(&name, &[QUEUED, PACE, ("NATS_URL", url.as_str())]);
        scene.wait_for("start", all).await;
        worker.signal(Signal::SIGTERM);
        let status = worker.exit(EXIT_LIMIT).await;
        assert!(status.success(), "round {round}: {status} {}", scene.log(&name));
        assert_eq!(scene.journal.jobs("end").len(), all, "round {round}: what had begun has ended");
        assert!(scene.log(&name).contains("drained: processed=8"), "{}", scene.log(&name));
    }
}

/// All handlers end together while the application drains, and nothing is left to do after them: their
/// acknowledgements are the last that the process writes. They go through a slow wire, so that a process which does not
/// wait for the server's answer is gone before they have arrived.
#[tokio::test(flavor = "multi_thread")]
async fn g1_acks_at_exit() {
    const ROUNDS: usize = 10;
    let scene = Workers::new(env!("CARGO_BIN_EXE_worker"), "g1acks").await;
    let proxy = Proxy::to(scene.server.address()).await;
    let inspector = Inspector::connect(&scene.server.url()).await;
    let url = proxy.url();
    for round in 1..=ROUNDS {
        let all = round * RUNNING;
        scene.publish(((all - RUNNING)..all).map(|number| Job::work(number as u64))).await;
        let name = format!("worker-{round}");
        let mut worker = scene.start(&name, &[QUEUED, PACE, ("NATS_URL", url.as_str())]);
        scene.wait_for("start", all).await;
        proxy.set(Mode::Latency(Duration::from_millis(100)));
        worker.signal(Signal::SIGTERM);
        assert_eq!(scene.journal.jobs("end").len(), all - RUNNING, "round {round}: the signal came while all ran");
        let status = worker.exit(EXIT_LIMIT).await;
        let info = inspector.consumer("test-g1acks-stream", "g1acks-queued").await;
        assert!(status.success(), "round {round}: {status} {}", scene.log(&name));
        assert_eq!(scene.journal.jobs("end").len(), all, "round {round}: every job has ended");
        assert_eq!(info.num_ack_pending, 0, "round {round}: every acknowledgement is on the server");
        assert_eq!(info.num_pending, 0, "round {round}");
        proxy.set(Mode::Pass);
    }
    assert_eq!(proxy.connections() as usize, ROUNDS, "every worker was behind the slow wire");
}
