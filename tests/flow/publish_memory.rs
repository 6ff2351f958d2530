//! Goal: however many publishes wait for a server that says nothing, what natspubsub holds for each stays small.
//! Method: 50,000 publishes of one shared value at once while the server is frozen; the growth of the process's memory
//! is printed, and what it is beside the futures, which are the caller's, is bounded.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use natspubsub::prelude::*;
use natspubsub_tests::{NatsServer, is_alone, resident_kib};
use nix::sys::signal::Signal;

const PUBLISHES: usize = 50_000;
const WINDOW: u32 = 1_024;

/// Room for the messages of the window, and for what the list of the futures needs.
const BESIDE_MIB_MAX: u64 = 24;

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
    let growth_mib = (resident_kib() - before) / 1_024;
    let futures_mib = ((size_of_val(&publisher.publish("reading.taken", &value)) * PUBLISHES) >> 20) as u64;
    #[expect(clippy::print_stdout, reason = "the figure is the result")]
    {
        println!("{PUBLISHES} waiting publishes: {growth_mib} MiB, of which the futures {futures_mib} MiB");
    }
    server.signal(Signal::SIGCONT);
    let stored = publishes.filter(|published| std::future::ready(published.is_ok())).count().await;
    assert_eq!(stored, PUBLISHES, "all are stored in the end");
    assert!(!is_alone() || growth_mib < futures_mib + BESIDE_MIB_MAX, "{growth_mib} MiB");
}
