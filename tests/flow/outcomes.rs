//! Goal: every way a handler can end leads to the one settlement that is promised, on both transports alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::{FailureClass, Stats};
use natspubsub_tests::{NatsServer, config, unique};
use serde::Deserialize;

const LIMIT: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, Deserialize, serde::Serialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Way {
    Fine,
    Panics,
    Hangs,
    HangsAndPanicsWhenDropped,
    ErrorTextPanics,
    AsksAgain,
    Discards,
    Permanent,
    Plain,
    Waits,
}

/// Panics where the handler no longer runs: when it is dropped, when its text is asked for.
#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "on purpose, in Drop");
    }
}

impl std::fmt::Display for Bomb {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("on purpose, in Display")
    }
}

impl std::error::Error for Bomb {}

#[derive(Clone, Default)]
struct Calls(Arc<AtomicU64>);

#[topic_subscriber("way.taken", max_attempts = 2, backoff = "20ms", timeout = "150ms", ack_wait = "5s")]
async fn takes(way: Way, ctx: Context, State(calls): State<Calls>) -> Result<Outcome, Failure> {
    calls.0.fetch_add(1, Ordering::Relaxed);
    match way {
        Way::Fine => Ok(Outcome::Ack),
        Way::Panics => panic!("on purpose"),
        Way::Hangs => std::future::pending().await,
        Way::HangsAndPanicsWhenDropped => {
            let _bomb = Bomb;
            std::future::pending().await
        }
        Way::ErrorTextPanics => Err(Failure::transient(Bomb)),
        Way::AsksAgain => Ok(Outcome::Retry { after: Some(Duration::from_millis(10)) }),
        Way::Discards => Ok(Outcome::Discard { reason: "obsolete".into() }),
        Way::Permanent => Err(Failure::permanent("never")),
        Way::Plain => Err(Failure::transient("later")),
        Way::Waits if calls.0.load(Ordering::Relaxed) < 4 => {
            assert_eq!(ctx.attempt(), 1, "a pause costs no attempt");
            Err(Failure::new(FailureClass::Infrastructure { pause: Duration::from_millis(20) }, "the database is down"))
        }
        Way::Waits => Ok(Outcome::Ack),
    }
}

/// Publishes one message and returns the counters and the number of runs once it is settled.
async fn take(url: &str, way: Way) -> (Stats, u64) {
    let calls = Calls::default();
    let app =
        App::builder().config(config(url, &unique("ways"))).state(calls.clone()).subscriber(takes {}).build().unwrap();
    let running = app.start().await.unwrap();
    running.publisher().publish("way.taken", &way).await.unwrap();
    let stats = running.wait_until(|stats| stats.settled() == 1, LIMIT).await.unwrap();
    assert!(running.shutdown().await.is_clean());
    (stats, calls.0.load(Ordering::Relaxed))
}

async fn every_way(url: &str) {
    for (way, runs, processed, retried, dead_lettered, discarded) in [
        (Way::Fine, 1, 1, 0, 0, 0),
        (Way::Panics, 2, 0, 1, 1, 0),
        (Way::Hangs, 2, 0, 1, 1, 0),
        (Way::HangsAndPanicsWhenDropped, 2, 0, 1, 1, 0),
        (Way::ErrorTextPanics, 2, 0, 1, 1, 0),
        (Way::AsksAgain, 2, 0, 1, 1, 0),
        (Way::Discards, 1, 0, 0, 0, 1),
        (Way::Permanent, 1, 0, 0, 1, 0),
        (Way::Plain, 2, 0, 1, 1, 0),
        (Way::Waits, 4, 1, 0, 0, 0),
    ] {
        let (stats, called) = take(url, way).await;
        let counted = (called, stats.processed, stats.retried, stats.dead_lettered, stats.discarded);
        assert_eq!(counted, (runs, processed, retried, dead_lettered, discarded), "{way:?} on {url}");
    }
}

#[tokio::test]
async fn every_outcome_ends_as_promised_in_memory() {
    every_way(&format!("memory:{}", unique("outcomes"))).await;
}

#[tokio::test]
async fn every_outcome_ends_as_promised_on_a_server() {
    let server = NatsServer::start().await;
    every_way(&server.url()).await;
}

#[topic_subscriber("order.*", "user.>", concurrency = 2, prefetch = 1)]
async fn counts(payload: Raw, ctx: Context, State(calls): State<Calls>) {
    let running = calls.0.fetch_add(1, Ordering::SeqCst) + 1;
    assert!(running <= 2, "{running} handlers at once for {} {:?}", ctx.topic(), payload);
    tokio::time::sleep(Duration::from_millis(2)).await;
    calls.0.fetch_sub(1, Ordering::SeqCst);
}

async fn bounded(url: &str) {
    let app = App::builder()
        .config(config(url, &unique("bounded")))
        .state(Calls::default())
        .subscriber(counts {})
        .build()
        .unwrap();
    let running = app.start().await.unwrap();
    for number in 0..30 {
        for topic in ["order.created", "user.eu.created", "other.created"] {
            running.publisher().publish(topic, &number).await.unwrap();
        }
    }
    let stats = running.wait_until(|stats| stats.settled() == 60, LIMIT).await.unwrap();
    assert_eq!((stats.received, stats.processed), (60, 60), "several patterns, one durable, nothing else");
    running.shutdown().await;
}

#[tokio::test]
async fn concurrency_is_bounded_and_filters_hold_in_memory() {
    bounded(&format!("memory:{}", unique("bounded"))).await;
}

#[tokio::test]
async fn concurrency_is_bounded_and_filters_hold_on_a_server() {
    let server = NatsServer::start().await;
    bounded(&server.url()).await;
}
