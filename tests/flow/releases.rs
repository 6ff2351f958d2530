//! Goal: a delivery that a shutdown gives back is no attempt: rolling restarts make no dead letters. Method: cut a
//! handler off as often as it has attempts, then let it fail.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, unique};

const LIMIT: Duration = Duration::from_secs(20);

#[derive(Clone, Default)]
struct Job {
    hangs: Arc<AtomicBool>,
    attempts: Arc<Mutex<Vec<u64>>>,
}

#[topic_subscriber("job.given", max_attempts = 2, backoff = "50ms", ack_wait = "20s", concurrency = 1, prefetch = 3)]
async fn works(_job: u32, ctx: Context, State(job): State<Job>) -> Result<(), std::io::Error> {
    if job.hangs.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
    job.attempts.lock().unwrap().push(ctx.attempt());
    Err(std::io::Error::other("not now"))
}

async fn what_is_given_back_is_no_attempt(url: &str) {
    let job = Job::default();
    let start = || async {
        let config = Config::builder().url(url).env("test").app("jobs").shutdown_timeout(Duration::from_millis(50));
        let app = App::builder().config(config.build().unwrap()).state(job.clone()).subscriber(works {});
        app.build().unwrap().start().await.unwrap()
    };
    // On memory the broker lives as long as somebody is connected.
    let keeps = Config::builder().url(url).env("test").app("jobs").build().unwrap();
    let publisher = Publisher::connect(keeps).await.unwrap();
    job.hangs.store(true, Ordering::Relaxed);
    for number in 0..2_u32 {
        publisher.publish("job.given", &number).await.unwrap();
    }
    for round in 0..3 {
        let running = start().await;
        running.wait_until(|stats| stats.received == 2, LIMIT).await.unwrap();
        let report = running.shutdown().await;
        assert_eq!((report.released, report.lost), (2, 0), "round {round}: {report:?}");
    }
    job.hangs.store(false, Ordering::Relaxed);
    let running = start().await;
    let stats = running.wait_until(|stats| stats.dead_lettered == 2, LIMIT).await.unwrap();
    assert_eq!(stats.retried, 2, "{stats:?}");
    running.shutdown().await;
    let mut attempts = job.attempts.lock().unwrap().clone();
    attempts.sort_unstable();
    assert_eq!(attempts, [1, 1, 2, 2], "three shutdowns used up nothing");
}

#[tokio::test]
async fn on_memory_what_is_given_back_is_no_attempt() {
    what_is_given_back_is_no_attempt(&format!("memory:{}", unique("jobs"))).await;
}

#[tokio::test]
async fn on_nats_what_is_given_back_is_no_attempt() {
    let server = NatsServer::start().await;
    what_is_given_back_is_no_attempt(&server.url()).await;
    let inspector = Inspector::connect(&server.url()).await;
    let records = inspector.messages("KV_test-jobs-releases").await;
    let of = |kind: &str| records.iter().filter(|record| record.subject.contains(kind)).count();
    assert_eq!((of(".failed."), of(".begun.")), (2, 2), "a failure before the last attempt, the last attempt itself");
    assert_eq!(of(".at_work."), 0, "every process ended well");
    assert_eq!(records.len(), 6 + 2 + 2, "and one key for each release");
}
