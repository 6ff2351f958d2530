//! Goal: when the node that an application is connected to leaves its cluster in order (lame duck, SIGUSR2), the
//! application moves to another node that it has learnt of, loses nothing, and is ready all the time but for 2 s at
//! most. Method: a cluster of three; the application knows the address of one node only, and that one leaves under
//! load. The last events are published when its process has ended.

use std::collections::BTreeSet;
use std::future::ready;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use natspubsub::prelude::*;
use natspubsub::{ErrorKind, HealthStatus, RunningApp};
use natspubsub_tests::{Inspector, NatsCluster, Observed, eventually};
use nix::sys::signal::Signal;
use tokio::task::JoinSet;

/// 250 a second, for longer than the leave: the node closes connections 10 s after the signal.
const EVENTS_BEFORE: u64 = 4_500;
const EVENTS: u64 = 5_000;
const PACE: Duration = Duration::from_millis(4);
const UNREADY_MAX: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(10);
const LIMIT: Duration = Duration::from_secs(60);
const STREAM: &str = "test-b8-stream";

type Runs = Arc<Mutex<Vec<u64>>>;

#[topic_subscriber("event.made", ack_wait = "3s", concurrency = 8)]
async fn records(event: u64, State(runs): State<Runs>) {
    tokio::time::sleep(Duration::from_millis(5)).await;
    runs.lock().unwrap().push(event);
}

/// Publishes until the event is confirmed.
async fn publish(publisher: Publisher, event: u64) {
    let id = format!("b8-{event}");
    while let Err(error) = publisher.message(&event).topic("event.made").event_id(id.as_str()).publish().await {
        assert!(matches!(error.kind(), ErrorKind::Unknown | ErrorKind::Rejected), "{error}");
        tokio::task::yield_now().await;
    }
}

/// Begins a publish every 4 ms.
async fn load(publisher: Publisher, events: Range<u64>) {
    let mut pace = tokio::time::interval(PACE);
    let mut publishing = JoinSet::new();
    for event in events {
        pace.tick().await;
        publishing.spawn(publish(publisher.clone(), event));
    }
    publishing.join_all().await;
}

/// The longest time without readiness until `done`.
async fn longest_unready(running: &RunningApp, done: &AtomicBool) -> Duration {
    let mut pace = tokio::time::interval(LOOK);
    let (mut since, mut longest): (Option<Instant>, Duration) = (None, Duration::ZERO);
    while !done.load(Ordering::Relaxed) {
        pace.tick().await;
        if running.health().status == HealthStatus::Unhealthy {
            longest = longest.max(since.get_or_insert_with(Instant::now).elapsed());
        } else {
            since = None;
        }
    }
    longest
}

/// Whether a child process has ended; it stays a zombie until somebody waits for it.
fn has_ended(process_id: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{process_id}/stat")).unwrap_or_default();
    state.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with(['Z', 'X']))
}

/// The node leaves under load, and the last events are published when it is gone.
async fn leave(cluster: &NatsCluster, running: &RunningApp) {
    let (duck, publisher) = (&cluster.nodes[0], running.publisher().clone());
    let before = tokio::spawn(load(publisher.clone(), 0..EVENTS_BEFORE));
    running.wait_until(|stats| stats.processed >= 250, LIMIT).await.unwrap();
    let process_id = duck.process_id();
    assert!(!has_ended(process_id));
    duck.signal(Signal::SIGUSR2);
    eventually("the node takes no new connection", LIMIT, || {
        ready(std::net::TcpStream::connect(duck.address()).is_err().then_some(()))
    })
    .await;
    assert!(!before.is_finished(), "it leaves under load");
    eventually("the node has ended", LIMIT, || ready(has_ended(process_id).then_some(()))).await;
    tokio::time::timeout(LIMIT, before).await.expect("every event is confirmed in time").unwrap();
    tokio::time::timeout(LIMIT, load(publisher, EVENTS_BEFORE..EVENTS)).await.expect("the other nodes store events");
    running.wait_until(|stats| stats.processed >= EVENTS, LIMIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long"]
async fn b8_a_lame_duck_is_left_for_another_node() {
    let cluster = NatsCluster::start().await;
    let runs = Runs::default();
    let config = Config::builder().url(cluster.nodes[0].url()).env("test").app("b8").stream_replicas(3);
    let app = App::builder().config(config.build().unwrap()).state(runs.clone()).subscriber(records {});
    let running = app.build().unwrap().start().await.unwrap();
    assert_eq!(running.health().status, HealthStatus::Healthy);

    let done = AtomicBool::new(false);
    let story = async {
        leave(&cluster, &running).await;
        done.store(true, Ordering::Relaxed);
    };
    let (unready, ()) = tokio::join!(longest_unready(&running, &done), story);
    assert!(unready <= UNREADY_MAX, "not ready for {unready:?}");
    let health = running.health();
    assert_eq!(health.status, HealthStatus::Healthy, "connected to another node: {:?}", health.problems);

    let inspector = Inspector::connect(&cluster.nodes[1].url()).await;
    eventually("everything is handled", LIMIT, || async {
        inspector.is_settled(STREAM, "b8-records").await.then_some(())
    })
    .await;
    let all: BTreeSet<u64> = (0..EVENTS).collect();
    let handled = runs.lock().unwrap().clone();
    let observed = Observed { attempted: all.clone(), confirmed: all, handled, ..Observed::default() };
    observed.assert_nothing_lost();
    let stream = inspector.jetstream.get_stream(STREAM).await.unwrap();
    assert_eq!(stream.cached_info().state.messages, EVENTS, "each event is stored once");
    assert!(running.shutdown().await.is_clean());
}
