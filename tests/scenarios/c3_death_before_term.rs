//! Goal: a worker that dies between the dead letter and the end of its original loses nothing and stores no dead
//! letter twice. Method: 200 jobs that fail for good, and workers that abort at that very point with each tenth dead
//! letter, one after the other; the last worker has no failpoint. A plain subscription counts what was sent to the
//! dead letters.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use natspubsub_tests::{Deed, Inspector, Job, Workers, eventually};
use nix::sys::signal::Signal;

const JOBS: u64 = 200;
const FAILPOINT: (&str, &str) = ("NATSPUBSUB_FAILPOINTS", "after_dlq_publish_before_term=abort@0.1");
const DEATHS_MIN: u64 = 3;

/// What so many workers hold when they die is less than all jobs: the backlog lasts, and no death waits for `ack_wait`.
const DEATHS_MAX: u64 = 12;

const LIMIT: Duration = Duration::from_secs(60);

/// Waits until nothing is pending and nothing unanswered.
async fn settled(inspector: &Inspector) {
    eventually("everything is settled", LIMIT, || async {
        // The first worker makes the consumer.
        let stream = inspector.jetstream.get_stream("test-c3-stream").await.ok()?;
        let info = stream.consumer_info("c3-work").await.ok()?;
        (info.num_pending == 0 && info.num_ack_pending == 0).then_some(())
    })
    .await;
}

/// Counts what is sent to the dead letters, also what the stream does not store because it has it.
async fn count_letters(inspector: &Inspector) -> Arc<AtomicU64> {
    let mut letters = inspector.client.subscribe("test.dlq.c3.>").await.unwrap();
    inspector.client.flush().await.unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let counter = count.clone();
    tokio::spawn(async move {
        while letters.next().await.is_some() {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    count
}

/// Starts a worker whenever one has died; returns how many died.
async fn let_workers_die(scene: &Workers, inspector: &Inspector) -> u64 {
    for deaths in 0..DEATHS_MAX {
        let name = format!("dies-{deaths}");
        let mut worker = scene.start(&name, &[FAILPOINT]);
        let died = tokio::select! {
            status = worker.exit(LIMIT) => Some(status),
            () = settled(inspector) => None,
        };
        let Some(status) = died else { return deaths };
        assert_eq!(status.signal(), Some(Signal::SIGABRT as i32), "{status} {}", scene.log(&name));
    }
    DEATHS_MAX
}

#[tokio::test(flavor = "multi_thread")]
async fn c3_death_before_term() {
    let scene = Workers::new(env!("CARGO_BIN_EXE_worker"), "c3").await;
    let inspector = Inspector::connect(&scene.server.url()).await;
    let sent = count_letters(&inspector).await;
    scene.publish((0..JOBS).map(|number| Job { number, deed: Deed::Permanent })).await;

    let deaths = let_workers_die(&scene, &inspector).await;
    assert!(deaths >= DEATHS_MIN, "the failpoint was hit: {deaths}");

    let mut last = scene.start("last", &[]);
    settled(&inspector).await;
    last.signal(Signal::SIGTERM);
    let status = last.exit(Duration::from_secs(20)).await;
    assert!(status.success(), "{status} {}", scene.log("last"));

    eventually("each death left a dead letter that was sent again", LIMIT, || async {
        (sent.load(Ordering::SeqCst) >= JOBS + deaths).then_some(())
    })
    .await;
    let letters = inspector.messages("test-c3-dlq").await;
    let originals: BTreeSet<u64> = letters
        .iter()
        .map(|letter| letter.headers.get("x-original-sequence").unwrap().as_str().parse().unwrap())
        .collect();
    assert_eq!(originals, (1..=JOBS).collect::<BTreeSet<u64>>(), "every job is a dead letter");
    assert_eq!(letters.len() as u64, JOBS, "and none of them twice, though {sent:?} were sent");
    assert_eq!(scene.journal.jobs("end").len(), 0, "none succeeded");
}
