//! Goal: SIGTERM loses no acknowledgement, and hands over what did not end.

use std::collections::BTreeSet;
use std::time::Duration;

use natspubsub_tests::{Deed, Inspector, Job, Workers, eventually};
use nix::sys::signal::Signal;

const JOBS: u64 = 500;

async fn scene(app: &str, deed: Deed) -> Workers {
    let scene = Workers::new(env!("CARGO_BIN_EXE_worker"), app).await;
    scene.publish((0..JOBS).map(|number| Job { number, deed })).await;
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_finishes_what_runs_and_every_acknowledgement_arrives() {
    let scene = scene("term", Deed::Work).await;
    let mut worker = scene.start("first", &[]);
    scene.wait_for("end", 50).await;
    worker.signal(Signal::SIGTERM);
    let status = worker.exit(Duration::from_secs(20)).await;
    assert!(status.success(), "{status} {}", scene.log("first"));

    let (started, ended) = (scene.journal.jobs("start"), scene.journal.jobs("end"));
    assert!(ended.len() < JOBS as usize, "the signal came in the middle");
    assert_eq!(started.len(), ended.len(), "what had started has ended");
    let info = Inspector::connect(&scene.server.url()).await.consumer("test-term-stream", "term-work").await;
    assert_eq!(info.num_ack_pending, 0, "every acknowledgement is on the server");
    assert_eq!(info.num_pending, JOBS - ended.len() as u64, "nothing was acknowledged that did not end");
    assert!(
        scene.log("first").contains(&format!("drained: processed={} retried=0 dead_lettered=0 lost=0", ended.len())),
        "{}",
        scene.log("first")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_in_time_goes_to_a_peer_at_once() {
    let scene = scene("cut", Deed::Work).await;
    let slow = [("WORKER_PACE_MS", "60000"), ("NATSPUBSUB_SHUTDOWN_TIMEOUT", "300ms")];
    let mut worker = scene.start("first", &slow);
    scene.wait_for("start", 8).await;
    worker.signal(Signal::SIGTERM);
    assert!(worker.exit(Duration::from_secs(20)).await.success(), "released is not lost: {}", scene.log("first"));

    let cut: BTreeSet<u64> = scene.journal.jobs("start").into_iter().collect();

    let peer = scene.start("peer", &[]);
    let start = std::time::Instant::now();
    scene.wait_for("end", cut.len()).await;
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    drop(peer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_exits_at_once() {
    let scene = scene("twice", Deed::Work).await;
    let mut worker = scene.start("first", &[("WORKER_PACE_MS", "60000")]);
    scene.wait_for("start", 8).await;
    worker.signal(Signal::SIGTERM);
    eventually("the drain has begun", Duration::from_secs(10), || async {
        scene.log("first").contains("a second signal exits at once").then_some(())
    })
    .await;
    worker.signal(Signal::SIGINT);
    let status = worker.exit(Duration::from_secs(2)).await;
    assert_eq!(status.code(), Some(130), "{}", scene.log("first"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_blocks_its_thread_cannot_keep_the_process_alive() {
    let scene = scene("stuck", Deed::Block).await;
    let blocking = [("WORKER_PACE_MS", "600000"), ("NATSPUBSUB_SHUTDOWN_TIMEOUT", "200ms")];
    let mut worker = scene.start("first", &blocking);
    scene.wait_for("start", 1).await;
    worker.signal(Signal::SIGTERM);
    let status = worker.exit(Duration::from_secs(20)).await;
    assert_eq!(status.code(), Some(1), "{}", scene.log("first"));
    assert!(scene.log("first").contains("cannot be ended: exiting"), "{}", scene.log("first"));
}
