//! Goal: however many publishes wait for a server that says nothing, each takes little memory, its future included.
//! Method: 50,000 publishes of one shared value at once while the server is frozen; the growth of the process's memory
//! is printed and bounded. Its largest part is no message: a builder and a place in the queue for each.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use natspubsub::prelude::*;
use natspubsub_tests::{NatsServer, is_alone, resident_kib};
use nix::sys::signal::Signal;

const PUBLISHES: usize = 50_000;
const WINDOW: u32 = 1_024;

/// Bytes for each publish, the messages of the window shared out among all.
const EACH_BYTES_MAX: u64 = 2_300;

#[tokio::test]
async fn waiting_publishes_hold_little_memory() {
    let server = NatsServer::start().await;
    let config = Config::builder().url(server.url()).env("test").app("memory").publish_window(WINDOW);
    let config = config.publish_timeout(Duration::from_secs(60)).build().unwrap();
    let publisher = Publisher::connect(config).await.unwrap();
    let value = "x".repeat(1_024);
    // What the first publish needs for good is not counted.
    publisher.publish("reading.taken", &value).await.unwrap();
    server.freeze().await;
    let before = resident_kib();
    let mut publishes: FuturesUnordered<_> =
        (0..PUBLISHES).map(|_| publisher.publish("reading.taken", &value)).collect();
    assert!(futures::poll!(publishes.next()).is_pending(), "the server says nothing");
    tokio::task::yield_now().await;
    assert!(futures::poll!(publishes.next()).is_pending(), "the server says nothing");
    let growth_kib = resident_kib() - before;
    let (each, future) =
        (growth_kib * 1_024 / PUBLISHES as u64, size_of_val(&publisher.publish("reading.taken", &value)));
    #[expect(clippy::print_stdout, reason = "the figure is the result")]
    {
        println!("{PUBLISHES} waiting publishes: {growth_kib} KiB, {each} bytes each, of which its future {future}");
    }
    server.signal(Signal::SIGCONT);
    let stored = publishes.filter(|published| std::future::ready(published.is_ok())).count().await;
    assert_eq!(stored, PUBLISHES, "all are stored in the end");
    assert!(!is_alone() || each < EACH_BYTES_MAX, "{each} bytes");
}
