//! Goal: a worker that is killed in the middle of its work loses nothing and condemns nothing.
//! Method: `kill -9` with many messages in hand, then a second worker; the journal shows both lives.

use std::collections::BTreeSet;
use std::time::Duration;

use natspubsub_tests::{Inspector, Job, Workers, eventually};

const JOBS: u64 = 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_loses_no_message_and_makes_no_dead_letter() {
    let scene = Workers::new(env!("CARGO_BIN_EXE_worker"), "crash").await;
    scene.publish((0..JOBS).map(Job::work)).await;
    let journal = &scene.journal;

    let first = scene.start("first", &[]);
    eventually("the first worker is in the middle", Duration::from_secs(30), || async {
        (journal.jobs("end").len() > 100).then_some(())
    })
    .await;
    first.kill();
    let ended_by_first = journal.jobs("end").len();
    let started_by_first = journal.jobs("start").len();
    assert!(ended_by_first < JOBS as usize, "the kill came in the middle");

    let second = scene.start("second", &[]);
    let inspector = Inspector::connect(&scene.server.url()).await;
    eventually("every message is settled", Duration::from_secs(60), || async {
        inspector.is_settled("test-crash-stream", "crash-work").await.then_some(())
    })
    .await;
    drop(second);

    let ended: BTreeSet<u64> = journal.jobs("end").into_iter().collect();
    assert_eq!(ended, (0..JOBS).collect::<BTreeSet<u64>>(), "every message was handled at least once");
    let repeated = journal.jobs("start").len() - JOBS as usize;
    assert!(started_by_first >= ended_by_first && repeated <= 16 + 8, "only what was in hand ran again: {repeated}");
    assert_eq!(inspector.messages("test-crash-dlq").await.len(), 0, "nothing was condemned");
}
