//! Goal: a consumer, and then a stream, that somebody deletes under a running worker: the health says so within 2 s,
//! both are made again from the plan, nothing is lost of a stream that was not deleted, and an acknowledgement that
//! waits for its confirmation does not report success. Method: delete them with a plain client, the consumer in the
//! middle of 1,000 jobs and in the middle of a handler.
//!
//! Making them again is the only policy: there is none that stops the application.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use natspubsub::prelude::*;
use natspubsub::{ErrorKind, HealthStatus, RunningApp};
use natspubsub_tests::{Inspector, NatsServer, Observed, config, eventually};

const JOBS: u64 = 1_000;
const JOBS_AFTERWARDS: u64 = 100;
const NOTICED_MAX: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(30);
const STREAM: &str = "test-b9-stream";
const DURABLE: &str = "b9-sees";

/// Jobs that are answered when the application asks the server how far it is.
const JOBS_SEEN_ANSWERED: u64 = 300;

/// How often each job ran.
type Runs = Arc<Mutex<BTreeMap<u64, usize>>>;

#[topic_subscriber("job.created", ack_wait = "3s", concurrency = 8, prefetch = 8)]
async fn sees(job: u64, State(runs): State<Runs>) {
    tokio::time::sleep(Duration::from_millis(20)).await;
    *runs.lock().unwrap().entry(job).or_default() += 1;
}

/// Publishes each job until it is confirmed; while the stream is gone, the error says that it is not stored.
async fn publish(publisher: &Publisher, jobs: Range<u64>) {
    let publishing = jobs.map(|job| async move {
        while let Err(error) = publisher.publish("job.created", &job).await {
            assert_eq!(error.kind(), &ErrorKind::Rejected, "{error}");
        }
    });
    futures::stream::iter(publishing).buffer_unordered(50).for_each(ready).await;
}

/// Waits until the health names the consumer; `deletes` is what it is to notice.
async fn notices(running: &RunningApp, deletes: impl Future<Output = ()>) {
    let noticed = eventually("the health names the lost consumer", NOTICED_MAX, || {
        let health = running.health();
        let named = health.problems.iter().any(|problem| problem.contains(DURABLE));
        ready((named && health.status == HealthStatus::Unhealthy).then_some(()))
    });
    // Looked at from before the deletion on: the consumer is back within a fraction of a second.
    tokio::join!(noticed, deletes);
}

async fn until_healthy(running: &RunningApp) {
    eventually("the application is healthy again", LIMIT, || {
        ready((running.health().status == HealthStatus::Healthy).then_some(()))
    })
    .await;
}

async fn until_settled(inspector: &Inspector, running: &RunningApp) {
    until_healthy(running).await;
    eventually("everything is handled", LIMIT, || async { inspector.is_settled(STREAM, DURABLE).await.then_some(()) })
        .await;
}

fn observed(runs: &Runs, jobs: u64) -> Observed {
    let all: BTreeSet<u64> = (0..jobs).collect();
    let runs = runs.lock().unwrap();
    let handled = runs.iter().flat_map(|(job, count)| std::iter::repeat_n(*job, *count)).collect();
    Observed { attempted: all.clone(), confirmed: all, handled, ..Observed::default() }
}

/// Deletes the consumer in the middle of the jobs, after the application has seen that the first of them are answered.
async fn lose_the_consumer(inspector: &Inspector, running: &RunningApp, runs: &Runs) {
    publish(running.publisher(), 0..JOBS_SEEN_ANSWERED).await;
    eventually("the first jobs are answered", LIMIT, || async {
        inspector.is_settled(STREAM, DURABLE).await.then_some(())
    })
    .await;
    let question = format!("$JS.API.CONSUMER.INFO.{STREAM}.{DURABLE}");
    let mut questions = inspector.client.subscribe(question).await.unwrap();
    let asked = tokio::time::timeout(LIMIT, questions.next()).await.expect("the application asks how far it is");
    assert!(asked.is_some());
    publish(running.publisher(), JOBS_SEEN_ANSWERED..JOBS).await;
    running.wait_until(|stats| stats.processed >= JOBS_SEEN_ANSWERED + 200, LIMIT).await.unwrap();
    let before = inspector.consumer(STREAM, DURABLE).await;
    assert!(before.num_pending > 0 && before.num_ack_pending > 0, "deleted in the middle of the work: {before:?}");
    notices(running, async {
        inspector.jetstream.delete_consumer_from_stream(DURABLE, STREAM).await.unwrap();
    })
    .await;
    until_settled(inspector, running).await;
    let after = inspector.consumer(STREAM, DURABLE).await;
    assert_ne!(after.created, before.created, "another consumer of the same name");
    observed(runs, JOBS).assert_nothing_lost();
    let twice: Vec<u64> = runs.lock().unwrap().iter().filter(|(_, count)| **count > 1).map(|(job, _)| *job).collect();
    assert!(twice.iter().all(|job| *job >= JOBS_SEEN_ANSWERED), "what was seen to be answered runs once: {twice:?}");
}

/// Deletes the stream, and publishes while it is gone and when it is back.
async fn lose_the_stream(inspector: &Inspector, running: &RunningApp, runs: &Runs) {
    let before = inspector.jetstream.get_stream(STREAM).await.unwrap().cached_info().created;
    notices(running, async {
        inspector.jetstream.delete_stream(STREAM).await.unwrap();
    })
    .await;
    let published = publish(running.publisher(), JOBS..JOBS + JOBS_AFTERWARDS);
    tokio::time::timeout(LIMIT, published).await.expect("the stream is made again");
    until_settled(inspector, running).await;
    let stream = inspector.jetstream.get_stream(STREAM).await.unwrap();
    assert_ne!(stream.cached_info().created, before, "another stream of the same name");
    assert_eq!(stream.cached_info().state.messages, JOBS_AFTERWARDS, "its numbers begin again");
    // A consumer that began where the old one was would wait for number 1,001.
    observed(runs, JOBS + JOBS_AFTERWARDS).assert_nothing_lost();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b9_a_deleted_consumer_and_a_deleted_stream_come_back() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let runs = Runs::default();
    let app = App::builder().config(config(&server.url(), "b9")).state(runs.clone()).subscriber(sees {});
    let running = app.build().unwrap().start().await.unwrap();

    lose_the_consumer(&inspector, &running, &runs).await;
    lose_the_stream(&inspector, &running, &runs).await;
    let report = running.shutdown().await;
    assert_eq!((report.dead_lettered, report.discarded, report.lost), (0, 0, 0), "{report:?}");
}

/// Jobs that run until they are released.
type Gates = Arc<Mutex<BTreeMap<String, Arc<tokio::sync::Semaphore>>>>;

fn gate(gates: &Gates, name: &str) -> Arc<tokio::sync::Semaphore> {
    let gate = || Arc::new(tokio::sync::Semaphore::new(0));
    gates.lock().unwrap().entry(name.to_owned()).or_insert_with(gate).clone()
}

#[topic_subscriber("gated.job", ack_wait = "30s")]
async fn gated(name: String, State(gates): State<Gates>) {
    gate(&gates, &name).acquire().await.unwrap().forget();
}

/// The first message of a new stream has the number of the first message of the old one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b9_a_job_of_a_deleted_stream_does_not_acknowledge_one_of_the_new_stream() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let gates = Gates::default();
    let app = App::builder().config(config(&server.url(), "b9")).state(gates.clone()).subscriber(gated {});
    let running = app.build().unwrap().start().await.unwrap();
    running.publisher().publish("gated.job", "old").await.unwrap();
    running.wait_until(|stats| stats.received == 1, LIMIT).await.unwrap();
    inspector.jetstream.delete_stream(STREAM).await.unwrap();
    let limit = tokio::time::Instant::now() + LIMIT;
    while running.publisher().publish("gated.job", "new").await.is_err() {
        assert!(tokio::time::Instant::now() < limit, "the stream is made again");
    }
    running.wait_until(|stats| stats.received == 2, LIMIT).await.unwrap();

    gate(&gates, "old").add_permits(1);
    let stats = running.wait_until(|stats| stats.processed + stats.unanswered == 1, LIMIT).await.unwrap();
    assert_eq!((stats.processed, stats.unanswered), (0, 1), "the old job has nobody to answer to");
    let info = inspector.consumer(STREAM, "b9-gated").await;
    assert_eq!(info.num_ack_pending, 1, "the new job is still in hand: {info:?}");
    gate(&gates, "new").add_permits(1);
    running.wait_until(|stats| stats.processed == 1, LIMIT).await.unwrap();
    assert_eq!(running.shutdown().await.dead_lettered, 0);
}

#[topic_subscriber("gated.job", ack_wait = "30s", concurrency = 1, prefetch = 0, durable = "b9-gated")]
async fn gated_one_by_one(name: String, State(gates): State<Gates>) {
    gate(&gates, &name).acquire().await.unwrap().forget();
}

/// The process that holds the old job has no pull open, and does not notice that its consumer is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b9_a_full_process_does_not_answer_for_a_stream_that_another_made_again() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let gates = Gates::default();
    let app = || App::builder().config(config(&server.url(), "b9")).state(gates.clone());
    let full = app().subscriber(gated_one_by_one {}).build().unwrap().start().await.unwrap();
    full.publisher().publish("gated.job", "old").await.unwrap();
    full.wait_until(|stats| stats.received == 1, LIMIT).await.unwrap();
    let other = app().subscriber(gated {}).build().unwrap().start().await.unwrap();
    inspector.jetstream.delete_stream(STREAM).await.unwrap();
    let limit = tokio::time::Instant::now() + LIMIT;
    while other.publisher().publish("gated.job", "new").await.is_err() {
        assert!(tokio::time::Instant::now() < limit, "the stream is made again");
    }
    other.wait_until(|stats| stats.received == 1, LIMIT).await.unwrap();

    // It asks every five seconds how far its consumer is.
    server.stay_away_for(Duration::from_secs(7)).await;
    gate(&gates, "old").add_permits(1);
    full.wait_until(|stats| stats.processed + stats.unanswered == 1, LIMIT).await.unwrap();
    let info = inspector.consumer(STREAM, "b9-gated").await;
    assert_eq!(info.num_ack_pending, 1, "the new job is still in hand: {info:?}");
    gate(&gates, "new").add_permits(1);
    other.wait_until(|stats| stats.processed == 1, LIMIT).await.unwrap();
    assert_eq!(full.shutdown().await.processed, 0);
    assert!(other.shutdown().await.is_clean());
}

#[topic_subscriber("refused.job")]
async fn refuses(name: String) -> Result<(), Failure> {
    Err(Failure::permanent(name))
}

/// The first dead letter of the new stream would have the message id of the first one of the old stream.
#[tokio::test]
async fn b9_dead_letters_of_a_stream_made_again_are_stored_beside_those_of_the_old_one() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let app = App::builder().config(config(&server.url(), "b9")).subscriber(refuses {});
    let running = app.build().unwrap().start().await.unwrap();
    running.publisher().publish("refused.job", "old").await.unwrap();
    running.wait_until(|stats| stats.dead_lettered == 1, LIMIT).await.unwrap();
    inspector.jetstream.delete_stream(STREAM).await.unwrap();
    let limit = tokio::time::Instant::now() + LIMIT;
    while running.publisher().publish("refused.job", "new").await.is_err() {
        assert!(tokio::time::Instant::now() < limit, "the stream is made again");
    }
    running.wait_until(|stats| stats.dead_lettered == 2, LIMIT).await.unwrap();
    assert!(running.shutdown().await.is_clean());
    let letters = inspector.messages("test-b9-dlq").await;
    let told = |name: &str| {
        letters.iter().map(|letter| letter.headers.get(name).unwrap().as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told("x-original-sequence"), ["1", "1"]);
    assert_eq!(told("x-dlq-error"), ["old", "new"]);
}

/// Deletes the consumer in its first run: the acknowledgement that follows reaches nobody.
#[derive(Clone)]
struct Saboteur {
    inspector: Arc<Inspector>,
    runs: Arc<AtomicU64>,
}

#[topic_subscriber("slow.job", confirm_ack, ack_wait = "5s")]
async fn confirmed(_job: u64, State(saboteur): State<Saboteur>) {
    if saboteur.runs.fetch_add(1, Ordering::Relaxed) == 0 {
        let jetstream = &saboteur.inspector.jetstream;
        jetstream.delete_consumer_from_stream("b9-confirmed", STREAM).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b9_an_acknowledgement_to_a_deleted_consumer_is_no_success() {
    let server = NatsServer::start().await;
    let inspector = Arc::new(Inspector::connect(&server.url()).await);
    let saboteur = Saboteur { inspector, runs: Arc::default() };
    let app = App::builder().config(config(&server.url(), "b9")).state(saboteur.clone()).subscriber(confirmed {});
    let running = app.build().unwrap().start().await.unwrap();
    running.publisher().publish("slow.job", &1_u64).await.unwrap();
    let stats = running.wait_until(|stats| stats.unanswered == 1, LIMIT).await.unwrap();
    assert_eq!(stats.processed, 0, "{stats:?}");
    // The consumer is made again, the job runs again, and its acknowledgement is confirmed.
    let stats = running.wait_until(|stats| stats.processed == 1, LIMIT).await.unwrap();
    assert_eq!(stats.unanswered, 1, "{stats:?}");
    assert_eq!(saboteur.runs.load(Ordering::Relaxed), 2);
    until_healthy(&running).await;
    assert!(saboteur.inspector.is_settled(STREAM, "b9-confirmed").await);
    assert!(running.shutdown().await.is_clean());
}
