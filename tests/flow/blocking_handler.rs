//! Goal: handlers that run longer than `ack_wait`, or block every thread, run once.
//! Method: a runtime of two threads, handlers that sleep on the thread for twice `ack_wait`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{NatsServer, config};

#[derive(Clone, Default)]
struct Runs(Arc<AtomicU64>);

#[topic_subscriber("job.created", ack_wait = "1s", concurrency = 1, prefetch = 3)]
async fn blocks(job: u64, State(runs): State<Runs>) {
    let _ = job;
    runs.0.fetch_add(1, Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(2_200));
}

#[topic_subscriber("report.created", ack_wait = "1s", concurrency = 1, prefetch = 3)]
async fn is_slow(report: u64, State(runs): State<Runs>) {
    let _ = report;
    runs.0.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(2_200)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_and_blocking_handlers_are_not_delivered_twice() {
    let server = NatsServer::start().await;
    let runs = Runs::default();
    let app = App::builder()
        .config(config(&server.url(), "blocking"))
        .state(runs.clone())
        .subscriber(blocks {})
        .subscriber(is_slow {});
    let running = app.build().unwrap().start().await.unwrap();
    for number in 0..3_u64 {
        running.publisher().publish("job.created", &number).await.unwrap();
        running.publisher().publish("report.created", &number).await.unwrap();
    }
    // Three messages in a row, so that the last one waits in the queue for more than four times ack_wait.
    let stats = running.wait_until(|stats| stats.settled() == 6, Duration::from_secs(30)).await.unwrap();
    running.shutdown().await;
    assert_eq!((runs.0.load(Ordering::Relaxed), stats.received), (6, 6), "no message came twice");
}
