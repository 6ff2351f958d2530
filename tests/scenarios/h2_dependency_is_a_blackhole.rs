//! Goal: while what every handler calls swallows all that is sent to it, pulling stops, nothing becomes a dead letter
//! and nothing uses up an attempt; when it answers again, everything is handled. Method: handlers that call a server
//! through a proxy which becomes a blackhole for 20 s, with a time limit of their own and an error marked as
//! infrastructure; `ack_wait` is a tenth of that time, and two attempts are all that a message has.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use natspubsub::HealthStatus;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, Mode, NatsServer, Proxy, config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CALLS: u64 = 1_000;
const CONCURRENCY: u64 = 8;
const IN_HAND_MAX: u64 = 16;
const CALL_TIMEOUT: Duration = Duration::from_millis(500);

const OUTAGE: Duration = Duration::from_secs(20);
const PULLS_STOP: Duration = Duration::from_secs(3);
const PULLS_RESUME: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_secs(60);

/// What every handler calls.
#[derive(Clone)]
struct Dependency {
    address: SocketAddr,
    answered: Arc<Mutex<BTreeSet<u64>>>,
    unanswered: Arc<AtomicU64>,
}

impl Dependency {
    async fn call(&self, number: u64) -> std::io::Result<u64> {
        let mut connection = TcpStream::connect(self.address).await?;
        connection.write_u64(number).await?;
        connection.read_u64().await
    }
}

#[derive(Debug, thiserror::Error, HandlerError)]
enum CallError {
    #[error("the dependency does not answer")]
    #[infrastructure(pause = "1s")]
    NoAnswer,
}

#[topic_subscriber("call.made", concurrency = 8, prefetch = 8, max_attempts = 2, ack_wait = "2s")]
async fn calls(call: u64, State(dependency): State<Dependency>) -> Result<(), CallError> {
    // The handler's own work: a thousand calls take more than a second.
    tokio::time::sleep(Duration::from_millis(10)).await;
    match tokio::time::timeout(CALL_TIMEOUT, dependency.call(call)).await {
        Ok(Ok(answer)) if answer == call => {
            dependency.answered.lock().unwrap().insert(call);
            Ok(())
        }
        _ => {
            dependency.unanswered.fetch_add(1, Ordering::Relaxed);
            Err(CallError::NoAnswer)
        }
    }
}

/// A server that sends back what it receives; returns its port.
async fn echo_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = connection.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_dependency_is_a_blackhole() {
    let server = NatsServer::start().await;
    let proxy = Proxy::to(("127.0.0.1", echo_server().await)).await;
    let dependency = Dependency { address: proxy.address(), answered: Arc::default(), unanswered: Arc::default() };
    let publisher = Publisher::connect(config(&server.url(), "h2")).await.unwrap();
    for call in 0..CALLS {
        publisher.publish("call.made", &call).await.unwrap();
    }
    let app = App::builder().config(config(&server.url(), "h2")).state(dependency.clone()).subscriber(calls {});
    let running = app.build().unwrap().start().await.unwrap();
    let before = running.wait_until(|stats| stats.processed >= 100, LIMIT).await.unwrap();

    proxy.set(Mode::Blackhole { up: true, down: true });
    let outage = Instant::now();
    let failures_before = dependency.unanswered.load(Ordering::Relaxed);
    server.stay_away_for(PULLS_STOP).await;
    let stopped = running.stats();
    assert!(stopped.received < CALLS, "messages wait at the server: {before:?} {stopped:?}");
    assert!(stopped.received <= stopped.settled() + IN_HAND_MAX, "{stopped:?}");
    assert_eq!(running.health().status, HealthStatus::Degraded, "{:?}", running.health());
    server.stay_away_for(OUTAGE.saturating_sub(outage.elapsed())).await;
    let held = running.stats();
    assert_eq!(held, stopped, "pulling has stopped, and nothing is settled");
    assert!(proxy.swallowed() > 0, "the calls went into the blackhole");
    let failures = dependency.unanswered.load(Ordering::Relaxed) - failures_before;
    let trials_max = OUTAGE.as_secs();
    assert!(failures > CONCURRENCY, "it was tried again and again: {failures}");
    assert!(failures <= CONCURRENCY + trials_max, "one trial after each pause, not one for each message: {failures}");

    proxy.set(Mode::Pass);
    running.wait_until(|stats| stats.received > held.received, PULLS_RESUME).await.unwrap();
    let stats = running.wait_until(|stats| stats.processed == CALLS, LIMIT).await.unwrap();
    assert_eq!((stats.received, stats.retried, stats.dead_lettered), (CALLS, 0, 0), "each came once: {stats:?}");
    assert_eq!(*dependency.answered.lock().unwrap(), (0..CALLS).collect::<BTreeSet<u64>>(), "every call was answered");
    assert!(running.shutdown().await.is_clean());
    let inspector = Inspector::connect(&server.url()).await;
    assert!(inspector.is_settled("test-h2-stream", "h2-calls").await);
    assert_eq!(inspector.messages("test-h2-dlq").await.len(), 0);
}
