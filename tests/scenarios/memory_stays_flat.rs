//! Goal: a process that handles a million messages needs no more memory at the end than after the first hundred
//! thousand: less than 16 MiB more, so that not even 19 bytes are kept of each message. Method: one subscriber on a real
//! server; the resident memory of this process is read when 100,000 and when 1,000,000 messages are handled.
//!
//! The publisher lives in this process, too, and that is on purpose. It never has more than [`CHUNK`] bodies on their way
//! to the server (what is published and not yet handled, at most [`AHEAD`], waits in the server's memory, not here), it
//! remembers nothing of what it has published, and it rests at both readings: its share is the same few hundred kilobytes
//! both times. Were it to grow nevertheless, the test would fail and not pass, so what it allows is at most what it says;
//! a second process would cost a second program and prove nothing more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use natspubsub::Storage;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, resident_kib};
use serde::Deserialize;
use tokio::sync::Semaphore;

const LIMIT: Duration = Duration::from_secs(60);
const FIRST_READING: u64 = 100_000;
const SECOND_READING: u64 = 1_000_000;
/// How far publishing may be ahead of handling.
const AHEAD: usize = 20_000;
/// So many are published, then confirmed.
const CHUNK: u64 = 500;
const GROWTH_MAX_KIB: u64 = 16 * 1_024;
const SUBJECT: &str = "test.flat.reading.taken";

#[derive(Debug, Deserialize)]
struct Reading {
    number: u64,
    note: String,
}

/// What has been handled.
struct Progress {
    /// One permit for each message that may still be published.
    room: Semaphore,
    sum: AtomicU64,
}

#[topic_subscriber("reading.taken", concurrency = 64)]
async fn takes(reading: Reading, State(progress): State<Arc<Progress>>) {
    assert!(!reading.note.is_empty(), "the whole message is decoded");
    progress.sum.fetch_add(reading.number, Ordering::Relaxed);
    progress.room.add_permits(1);
}

/// About 200 bytes.
fn body(number: u64, note: &str) -> String {
    format!(r#"{{"event_id":"reading-{number}","message":{{"number":{number},"note":"{note}"}}}}"#)
}

async fn publish(inspector: &Inspector, progress: &Progress, numbers: std::ops::Range<u64>) {
    let note = "x".repeat(130);
    for first in numbers.step_by(CHUNK as usize) {
        let room = tokio::time::timeout(LIMIT, progress.room.acquire_many(CHUNK as u32)).await;
        room.expect("messages are handled").unwrap().forget();
        let last = first + CHUNK - 1;
        for number in first..last {
            inspector.client.publish(SUBJECT, body(number, &note).into()).await.unwrap();
        }
        // One connection, one stream: what was sent before a message that is stored is stored.
        let confirmation = inspector.jetstream.publish(SUBJECT, body(last, &note).into()).await.unwrap();
        assert_eq!(confirmation.await.unwrap().sequence, last + 1, "every message is stored");
    }
}

/// The average of several readings over a second, in which the allocator and the connection come to rest.
async fn settled_resident_kib() -> u64 {
    const READINGS: u64 = 20;
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    let mut sum = 0;
    for _ in 0..READINGS {
        pace.tick().await;
        sum += resident_kib();
    }
    sum / READINGS
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long"]
async fn memory_stays_flat() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let config = Config::builder().url(server.url()).env("test").app("flat").stream_storage(Storage::Memory);
    let progress = Arc::new(Progress { room: Semaphore::new(AHEAD), sum: AtomicU64::new(0) });
    let app = App::builder().config(config.build().unwrap()).state(progress.clone()).subscriber(takes {});
    let running = app.build().unwrap().start().await.unwrap();

    let mut readings = Vec::new();
    for (first, last) in [(0, FIRST_READING), (FIRST_READING, SECOND_READING)] {
        publish(&inspector, &progress, first..last).await;
        running.wait_until(|stats| stats.processed >= last, LIMIT).await.unwrap();
        readings.push(settled_resident_kib().await);
    }
    let stats = running.stats();
    assert_eq!((stats.received, stats.processed), (SECOND_READING, SECOND_READING), "{stats:?}");
    let sum = SECOND_READING * (SECOND_READING - 1) / 2;
    assert_eq!(progress.sum.load(Ordering::Relaxed), sum, "each message was handled once");
    assert!(running.shutdown().await.is_clean());

    #[expect(clippy::print_stdout, reason = "the figure itself is of interest")]
    {
        println!("resident: {} KiB after {FIRST_READING}, {} KiB after {SECOND_READING}", readings[0], readings[1]);
    }
    let growth = readings[1].abs_diff(readings[0]);
    assert!(growth < GROWTH_MAX_KIB, "{growth} KiB: from {} to {}", readings[0], readings[1]);
}
