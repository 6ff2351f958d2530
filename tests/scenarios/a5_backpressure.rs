//! Goal: a backlog does not flood a slow subscriber: it never holds more than `concurrency + prefetch` messages, memory
//! stays flat, and what waits in hand is kept alive, so that the server delivers nothing twice.
//! Method: 10,000 messages lie ready, four handlers of 100 ms work for 30 s. With a look-ahead of 100 the last message
//! in hand waits longer than `ack_wait`. The look is on the thread of the handlers, so that it never falls between the
//! end of a run and its count.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use natspubsub::RunningApp;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually, is_alone, resident_kib};

const BACKLOG: u64 = 10_000;
const DURATION: Duration = Duration::from_secs(30);
const CONCURRENCY: u64 = 4;
const PREFETCH: u64 = 100;
const PACE: Duration = Duration::from_millis(100);
const GROWTH_KIB_MAX: u64 = 50 * 1024;
const STREAM: &str = "test-a5-stream";

#[derive(Clone, Default)]
struct Runs {
    now: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
    begun: Arc<AtomicU64>,
    repeated: Arc<AtomicU64>,
}

#[topic_subscriber("job.created", concurrency = 4, prefetch = 100, ack_wait = "2s")]
async fn slow(Raw(_job): Raw, context: Context, State(runs): State<Runs>) {
    runs.begun.fetch_add(1, Ordering::SeqCst);
    if context.deliveries() > 1 {
        runs.repeated.fetch_add(1, Ordering::SeqCst);
    }
    let now = runs.now.fetch_add(1, Ordering::SeqCst) + 1;
    runs.most.fetch_max(now, Ordering::SeqCst);
    tokio::time::sleep(PACE).await;
    runs.now.fetch_sub(1, Ordering::SeqCst);
}

/// The highest values that were seen.
#[derive(Default)]
struct Peaks {
    in_hand: Cell<u64>,
    unanswered_on_server: Cell<u64>,
    redelivered: Cell<u64>,
    resident_kib: Cell<u64>,
}

fn raise(peak: &Cell<u64>, value: u64) {
    peak.set(peak.get().max(value));
}

/// Looks for the whole duration.
async fn watch(running: &RunningApp, inspector: &Inspector) -> Peaks {
    let (peaks, begun) = (Peaks::default(), Instant::now());
    eventually("the load has lasted long enough", DURATION * 2, || async {
        let stats = running.stats();
        raise(&peaks.in_hand, stats.received - (stats.settled() + stats.retried));
        let info = inspector.consumer(STREAM, "a5-slow").await;
        raise(&peaks.unanswered_on_server, info.num_ack_pending as u64);
        raise(&peaks.redelivered, info.num_redelivered as u64);
        raise(&peaks.resident_kib, resident_kib());
        (begun.elapsed() >= DURATION).then_some(())
    })
    .await;
    peaks
}

async fn publish(url: &str) {
    let publisher = Publisher::connect(config(url, "a5")).await.unwrap();
    let body = "x".repeat(1_024);
    let publishing = (0..BACKLOG).map(|_| async {
        publisher.publish("job.created", &body).await.expect("the job is stored");
    });
    futures::stream::iter(publishing).buffer_unordered(200).for_each(|()| std::future::ready(())).await;
}

#[tokio::test]
async fn a5_backpressure() {
    let server = NatsServer::start().await;
    publish(&server.url()).await;
    let inspector = Inspector::connect(&server.url()).await;
    let runs = Runs::default();
    let app = App::builder().config(config(&server.url(), "a5")).state(runs.clone()).subscriber(slow {});
    let running = app.build().unwrap().start().await.unwrap();
    let resident_before = resident_kib();
    let peaks = watch(&running, &inspector).await;
    let backlog = inspector.consumer(STREAM, "a5-slow").await.num_pending;
    assert!(backlog > BACKLOG / 2, "there was a backlog to the end: {backlog}");

    let held_max = CONCURRENCY + PREFETCH;
    let in_hand = peaks.in_hand.get();
    assert!(in_hand <= held_max, "{in_hand} in hand, and {held_max} are allowed");
    let waits = Duration::from_secs(2).as_millis() / PACE.as_millis() * u128::from(CONCURRENCY);
    assert!(u128::from(in_hand) > waits, "the last one in hand waits longer than ack_wait: {in_hand} > {waits}");
    assert_eq!(runs.most.load(Ordering::SeqCst), CONCURRENCY, "handlers at once");
    // The server may not have read the newest acknowledgements yet, one of each handler.
    let unanswered = peaks.unanswered_on_server.get();
    assert!(unanswered <= held_max + CONCURRENCY, "the server waits for {unanswered} answers");
    let growth = peaks.resident_kib.get().saturating_sub(resident_before);
    assert!(growth < GROWTH_KIB_MAX || !is_alone(), "memory grew by {growth} KiB");

    let report = running.shutdown().await;
    assert!(report.is_clean(), "{report:?}");
    let ideal = DURATION.as_millis() / PACE.as_millis() * u128::from(CONCURRENCY);
    assert!(u128::from(report.processed) > ideal / 2, "the places are used: {report:?}");
    let repeated = runs.repeated.load(Ordering::SeqCst);
    assert_eq!((peaks.redelivered.get(), repeated, report.retried), (0, 0, 0), "no redeliveries");
    assert_eq!(runs.begun.load(Ordering::SeqCst), report.processed, "no extra runs");
    let info = inspector.consumer(STREAM, "a5-slow").await;
    assert_eq!(info.delivered.consumer_sequence, info.delivered.stream_sequence, "no message was delivered twice");
    let waiting = info.num_pending + info.num_ack_pending as u64;
    assert_eq!(waiting + report.processed, BACKLOG, "nothing is lost");
}
