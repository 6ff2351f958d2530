//! Goal: handlers that run longer than `ack_wait`, or block every thread, run once.
//! Method: a runtime of two threads, handlers that sleep on the thread for twice `ack_wait`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually};

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

/// Every line that is logged in this process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// nextest runs each test in a process of its own, so that the log is that of this test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread_is_named() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let installed = tracing::subscriber::set_global_default(subscriber).is_ok();
    let url = format!("memory:{}", natspubsub_tests::unique("blocking"));
    let app = App::builder().config(config(&url, "blocking")).state(Runs::default()).subscriber(blocks {});
    let running = app.subscriber(is_slow {}).build().unwrap().start().await.unwrap();
    running.publisher().publish("job.created", &1_u64).await.unwrap();
    running.publisher().publish("report.created", &1_u64).await.unwrap();
    running.wait_until(|stats| stats.settled() == 2, Duration::from_secs(20)).await.unwrap();
    running.shutdown().await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let warnings: Vec<&str> = text.lines().filter(|line| line.contains("the handler blocks its thread")).collect();
    if installed {
        assert_eq!(warnings.len(), 1, "once, and not for the one that only waits: {text}");
        assert!(warnings[0].contains("handler=\"blocks\"") && warnings[0].contains("blocking_handler.rs"), "{text}");
    }
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

/// The intake is not told of a free place before there are four.
#[topic_subscriber("job.created", ack_wait = "1s", concurrency = 1, prefetch = 15)]
async fn blocks_others(job: u64, State(runs): State<Runs>) {
    let _ = job;
    runs.0.fetch_add(1, Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(2_200));
}

/// Acknowledgements of a worker go together; while a handler blocks it, they do not wait for its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_holds_back_no_acknowledgement() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let app =
        App::builder().config(config(&server.url(), "blocking")).state(Runs::default()).subscriber(blocks_others {});
    let running = app.build().unwrap().start().await.unwrap();
    for number in 0..3_u64 {
        running.publisher().publish("job.created", &number).await.unwrap();
    }
    running.wait_until(|stats| stats.processed == 1, Duration::from_secs(20)).await.unwrap();
    eventually("the first is acknowledged", Duration::from_secs(2), async || {
        let consumer = inspector.consumer("test-blocking-stream", "blocking-blocks_others").await;
        (consumer.ack_floor.stream_sequence == 1).then_some(())
    })
    .await;
    let stats = running.stats();
    assert_eq!((stats.processed, stats.received), (1, 3), "the second still runs, and none was delivered again");
    assert!(running.shutdown().await.is_clean());
}
