//! Goal: a message that makes its process run out of memory is given up, and costs no other message. Method: one bad
//! job among 500, a worker whose address space is limited, and a new one whenever it dies. The bad job must end in the
//! dead letters with the reason `crash`, after no more deaths than it has attempts; all others are done.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use natspubsub_tests::{Deed, Inspector, Job, Workers, eventually};
use nix::sys::signal::Signal;

const JOBS: u64 = 500;
const BAD: u64 = 250;

/// `max_attempts` of the worker process.
const ATTEMPTS: u64 = 5;

const MEMORY: (&str, &str) = ("WORKER_MEMORY_MB", "768");
const LIMIT: Duration = Duration::from_secs(60);

/// Waits until nothing is pending and nothing unanswered.
async fn settled(inspector: &Inspector) {
    eventually("everything is settled", LIMIT, || async {
        // The first worker makes the consumer.
        let stream = inspector.jetstream.get_stream("test-c6-stream").await.ok()?;
        let info = stream.consumer_info("c6-work").await.ok()?;
        (info.num_pending == 0 && info.num_ack_pending == 0).then_some(())
    })
    .await;
}

/// Starts a worker whenever one has died, until everything is settled; returns how many died.
async fn work_until_settled(scene: &Workers, inspector: &Inspector, death: &str) -> u64 {
    for deaths in 0..=ATTEMPTS {
        let name = format!("worker-{deaths}");
        let mut worker = scene.start(&name, &[MEMORY]);
        let died = tokio::select! {
            status = worker.exit(LIMIT) => Some(status),
            () = settled(inspector) => None,
        };
        let Some(status) = died else { return deaths };
        let log = scene.log(&name);
        assert_eq!(status.signal(), Some(Signal::SIGABRT as i32), "{status} {log}");
        assert!(log.contains(death), "it died as it should: {log}");
    }
    panic!("the bad job kills more than {ATTEMPTS} workers");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long"]
async fn c6_out_of_memory() {
    one_bad_job(BAD, Deed::Hoard, "memory allocation of").await;
}

/// The bad job is the first of all: whatever waits beside it never has its turn before it.
#[tokio::test(flavor = "multi_thread")]
async fn c6_the_first_job_kills_its_process() {
    one_bad_job(0, Deed::Abort, "").await;
}

async fn one_bad_job(bad: u64, its_deed: Deed, death: &str) {
    let scene = Workers::new(env!("CARGO_BIN_EXE_worker"), "c6").await;
    let inspector = Inspector::connect(&scene.server.url()).await;
    let deed = |number| if number == bad { its_deed } else { Deed::Work };
    scene.publish((0..JOBS).map(|number| Job { number, deed: deed(number) })).await;

    let deaths = work_until_settled(&scene, &inspector, death).await;
    assert!(deaths > 0, "the bad job killed a worker");
    let runs_of_the_bad_one = scene.journal.jobs("start").into_iter().filter(|job| *job == bad).count();
    assert_eq!(runs_of_the_bad_one as u64, deaths, "each of its runs was a death");

    let ended: BTreeSet<u64> = scene.journal.jobs("end").into_iter().collect();
    let left_over: Vec<u64> = (0..JOBS).filter(|job| !ended.contains(job)).collect();
    assert_eq!(left_over, [bad], "all others are done");
    let letters = inspector.messages("test-c6-dlq").await;
    let told: Vec<(u64, &str)> = letters
        .iter()
        .map(|letter| {
            let envelope: serde_json::Value = serde_json::from_slice(&letter.payload).unwrap();
            let reason = letter.headers.get("x-dlq-reason").unwrap().as_str();
            (envelope["message"]["number"].as_u64().unwrap(), reason)
        })
        .collect();
    assert_eq!(told, [(bad, "crash")], "the bad job is given up, and no bystander with it");
}
