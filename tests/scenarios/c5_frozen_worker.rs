//! Goal: a worker that was frozen for longer than `ack_wait` does no harm when it goes on. Method: SIGSTOP with 16
//! deliveries in hand, half of them running; a second worker handles everything meanwhile; SIGCONT. A plain
//! subscription reads every answer to every delivery.
//!
//! For a delivery that has expired, that is, for a message of which the server has made a later delivery, the thawed
//! worker may send exactly one thing: `+ACK`, once its handler has succeeded. The work is done, so it is true,
//! whichever run the server takes it for. `-NAK` would begin a third run beside the second one, `+TERM` would end the
//! second one's message, `+WPI` would hide the second one's death: none of the three may be sent.
//!
//! The jobs in hand cover each: some succeed after the thaw (`+ACK`), some fail (`-NAK`), and all of them were signalled
//! before (`+WPI`). Those that waited in the queue of the frozen worker do not run there any more, nor do those that
//! waited in its socket. The frozen worker's runs of expired deliveries are extra runs; with an inbox their effects are
//! exactly once: that is another test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use natspubsub_tests::{Deed, Inspector, Job, Observed, WorkerProcess, Workers, eventually};
use nix::sys::signal::Signal;

const JOBS: u64 = 2_000;

/// What the frozen worker holds: 8 running, 8 queued.
const HELD: u64 = 16;

/// Jobs for the thawed worker alone.
const LAST: u64 = 8;

/// More than two `ack_wait` of the worker process, which is 2 s.
const FREEZE: Duration = Duration::from_secs(5);

const LIMIT: Duration = Duration::from_secs(60);
const STREAM: &str = "test-c5-stream";
const DURABLE: &str = "c5-work";

/// The first eight run when the worker is frozen, the others wait in its queue.
fn held() -> impl Iterator<Item = Job> {
    let deed = |number| match number {
        0 | 2 | 4 | 6 | 8 | 9 | 10 => Deed::WorkThenFail,
        11..=13 => Deed::Permanent,
        _ => Deed::Work,
    };
    (0..HELD).map(move |number| Job { number, deed: deed(number) })
}

/// At its start a worker tries whether it may answer, for a message that no stream has.
const SEQUENCE_MAX: u64 = 1 << 52;

/// The answers so far, in the order in which the server took them.
#[derive(Default)]
struct Answers {
    /// The latest delivery of each message that was answered.
    latest: BTreeMap<u64, u64>,
    /// Acknowledgements of expired deliveries, which are allowed.
    late_acks: usize,
    /// Everything else about expired deliveries.
    stale: Vec<String>,
}

impl Answers {
    /// `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>…`; newer servers may write domain and account before
    /// the stream.
    fn note(&mut self, subject: &str, body: &str) {
        let tokens: Vec<&str> = subject.split('.').collect();
        let at = if tokens.len() == 9 { 2 } else { 4 };
        if tokens[at..at + 2] != [STREAM, DURABLE] {
            return;
        }
        let [delivery, sequence] = [2, 3].map(|place| tokens[at + place].parse::<u64>().unwrap());
        if sequence > SEQUENCE_MAX {
            return;
        }
        let latest = self.latest.entry(sequence).or_default();
        if delivery >= *latest {
            *latest = delivery;
        } else if body.starts_with("+ACK") {
            self.late_acks += 1;
        } else {
            self.stale.push(format!("{body} for delivery {delivery} of {sequence} after delivery {latest}"));
        }
    }
}

async fn read_answers(inspector: &Inspector) -> Arc<Mutex<Answers>> {
    let mut subscription = inspector.client.subscribe("$JS.ACK.>").await.unwrap();
    inspector.client.flush().await.unwrap();
    let answers = Arc::new(Mutex::new(Answers::default()));
    let noted = answers.clone();
    tokio::spawn(async move {
        while let Some(answer) = subscription.next().await {
            noted.lock().unwrap().note(&answer.subject, &String::from_utf8_lossy(&answer.payload));
        }
    });
    answers
}

async fn settled(inspector: &Inspector) {
    eventually("everything is settled", LIMIT, || async { inspector.is_settled(STREAM, DURABLE).await.then_some(()) })
        .await;
}

/// The jobs of one worker's lines of one kind.
fn jobs_of(scene: &Workers, worker: &str, what: &str) -> BTreeSet<u64> {
    let lines = scene.journal.read().into_iter();
    lines.filter(|line| line.worker == worker && line.what == what).map(|line| line.job).collect()
}

/// The numbers of the jobs in the dead letters, each once.
async fn dead(inspector: &Inspector) -> BTreeSet<u64> {
    let letters = inspector.messages("test-c5-dlq").await;
    let number = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).unwrap()["message"]["number"].as_u64();
    let dead: BTreeSet<u64> = letters.iter().map(|letter| number(&letter.payload).unwrap()).collect();
    assert_eq!(letters.len(), dead.len(), "no dead letter is stored twice");
    dead
}

/// Starts a worker that takes the first jobs in hand, and stops it in the middle of the first eight.
async fn frozen_in_the_middle(scene: &Workers, inspector: &Inspector) -> WorkerProcess {
    let publisher = scene.publisher().await;
    for job in held() {
        publisher.publish("job.created", &job).await.unwrap();
    }
    let frozen = scene.start("frozen", &[("WORKER_PACE_MS", "2000")]);
    scene.wait_for("start", 8).await;
    eventually("the worker holds them all", LIMIT, || async {
        (inspector.consumer(STREAM, DURABLE).await.num_ack_pending as u64 == HELD).then_some(())
    })
    .await;
    frozen.signal(Signal::SIGSTOP);
    assert_eq!(jobs_of(scene, "frozen", "start"), (0..8).collect::<BTreeSet<u64>>(), "eight run");
    assert_eq!(jobs_of(scene, "frozen", "end").len(), 0, "none has ended");
    frozen
}

#[tokio::test(flavor = "multi_thread")]
async fn c5_frozen_worker() {
    let scene = Workers::new(env!("CARGO_BIN_EXE_worker"), "c5").await;
    let inspector = Inspector::connect(&scene.server.url()).await;
    let answers = read_answers(&inspector).await;
    let frozen = frozen_in_the_middle(&scene, &inspector).await;
    let freeze = Instant::now();

    let mut second = scene.start("second", &[]);
    scene.publish((HELD..JOBS - LAST).map(Job::work)).await;
    // Every later delivery of what the frozen worker holds is answered by then, and so was noted.
    settled(&inspector).await;
    scene.server.stay_away_for(FREEZE.saturating_sub(freeze.elapsed())).await;
    let again = jobs_of(&scene, "second", "start");
    assert!((0..HELD).all(|job| again.contains(&job)), "what was in hand expired and was delivered again");
    second.signal(Signal::SIGTERM);
    assert!(second.exit(Duration::from_secs(20)).await.success(), "{}", scene.log("second"));

    frozen.signal(Signal::SIGCONT);
    scene.publish((JOBS - LAST..JOBS).map(Job::work)).await;
    // They queue behind everything that the worker held.
    eventually("the thawed worker goes on", LIMIT, || async {
        jobs_of(&scene, "frozen", "end").is_superset(&(JOBS - LAST..JOBS).collect()).then_some(())
    })
    .await;
    settled(&inspector).await;
    eventually("every answer was read", LIMIT, || async {
        (answers.lock().unwrap().latest.len() as u64 == JOBS).then_some(())
    })
    .await;

    {
        let answers = answers.lock().unwrap();
        assert_eq!(answers.stale, Vec::<String>::new(), "expired deliveries are left alone");
        assert!(answers.late_acks > 0, "the thawed worker was heard");
    }
    let started = jobs_of(&scene, "frozen", "start");
    let wanted: BTreeSet<u64> = (0..HELD / 2).chain(JOBS - LAST..JOBS).collect();
    assert_eq!(started, wanted, "what waited in its queue had expired, and does not run there");
    let dead = dead(&inspector).await;
    let hopeless: BTreeSet<u64> = held().filter(|job| job.deed != Deed::Work).map(|job| job.number).collect();
    assert_eq!(dead, hopeless, "what failed again and again, or for good");
    let verdict = Observed { dead, ..scene.observed(JOBS) }.assert_nothing_lost();
    assert!(verdict.extra_runs as u64 <= HELD / 2, "only what ran when it froze ran again: {}", verdict.extra_runs);
}

/// The server delivers to an open pull of the frozen worker; what it finds in its socket after the thaw looks new.
#[tokio::test(flavor = "multi_thread")]
async fn c5_frozen_worker_with_deliveries_in_its_socket() {
    let scene = Workers::new(env!("CARGO_BIN_EXE_worker"), "c5").await;
    let inspector = Inspector::connect(&scene.server.url()).await;
    let answers = read_answers(&inspector).await;
    let frozen = scene.start("frozen", &[]);
    eventually("the worker waits for jobs", LIMIT, || async {
        let stream = inspector.jetstream.get_stream(STREAM).await.ok()?;
        let info = stream.consumer_info(DURABLE).await.ok()?;
        (info.num_waiting > 0).then_some(())
    })
    .await;
    frozen.signal(Signal::SIGSTOP);
    let freeze = Instant::now();
    scene.publish((0..HELD).map(|number| Job { number, deed: Deed::WorkThenFail })).await;
    let info = inspector.consumer(STREAM, DURABLE).await;
    assert_eq!(info.num_ack_pending as u64, HELD, "the server has delivered them to the frozen worker");

    let second = scene.start("second", &[]);
    scene.wait_for("start", HELD as usize).await;
    scene.server.stay_away_for(FREEZE.saturating_sub(freeze.elapsed())).await;
    frozen.signal(Signal::SIGCONT);
    settled(&inspector).await;
    drop(second);
    scene.publish((HELD..HELD + LAST).map(Job::work)).await;
    eventually("the thawed worker goes on", LIMIT, || async {
        jobs_of(&scene, "frozen", "end").is_superset(&(HELD..HELD + LAST).collect()).then_some(())
    })
    .await;

    assert_eq!(answers.lock().unwrap().stale, Vec::<String>::new(), "expired deliveries are left alone");
    let first_runs = jobs_of(&scene, "frozen", "start");
    assert!(scene.log("frozen").contains("this process did not run for a while"), "{}", scene.log("frozen"));
    let log = scene.log("frozen");
    let expired = log.matches("the server has delivered the message again before it could run").count();
    assert!(expired as u64 >= HELD, "what lay in the socket was not run as new: {expired}, ran {first_runs:?}");
    assert_eq!(dead(&inspector).await.len() as u64, HELD);
}
