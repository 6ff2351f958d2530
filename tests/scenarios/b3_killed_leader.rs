//! Goal: in a cluster of three, the death of the node that leads the stream loses nothing and stores nothing twice, and
//! no publish takes longer than 10 s. Method: 20 publishers that go on until each event is confirmed, three
//! applications that know every node, `kill -9` for the leader with deliveries in hand, its restart after 3 s.
//!
//! Three nodes on two cores store about 5,000 messages a second at best: the usual run has 20,000 events, the long run
//! the full 40,000. With an inbox effects are exactly once, which is another test.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use natspubsub::prelude::*;
use natspubsub::{ErrorKind, RunningApp};
use natspubsub_tests::{Inspector, NatsCluster, Observed, eventually};
use tokio::task::JoinHandle;

const USUAL_EVENTS: u64 = 20_000;
const FULL_EVENTS: u64 = 40_000;
const PUBLISHERS: u64 = 20;
const WORKERS: usize = 3;
const DOWN: Duration = Duration::from_secs(3);
const LATENCY_MAX: Duration = Duration::from_secs(10);
const DRAIN_MAX: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(120);
const STREAM: &str = "test-b3-stream";

/// How often each event ran.
type Runs = Arc<Mutex<BTreeMap<u64, usize>>>;

#[topic_subscriber("event.made", ack_wait = "3s", concurrency = 16)]
async fn records(event: u64, State(runs): State<Runs>) {
    tokio::time::sleep(Duration::from_millis(2)).await;
    *runs.lock().unwrap().entry(event).or_default() += 1;
}

async fn start_worker(url: &str, runs: &Runs) -> RunningApp {
    let config = Config::builder().url(url).env("test").app("b3").stream_replicas(3).build().unwrap();
    let app = App::builder().config(config).state(runs.clone()).subscriber(records {});
    app.build().unwrap().start().await.unwrap()
}

/// Publishes each event until it is confirmed; the longest time that one took.
async fn publish(publisher: Publisher, events: Vec<u64>, confirmed: Arc<AtomicU64>) -> Duration {
    let mut worst = Duration::ZERO;
    for event in events {
        let (id, begun) = (format!("b3-{event}"), Instant::now());
        while let Err(error) = publisher.message(&event).topic("event.made").event_id(id.as_str()).publish().await {
            assert!(matches!(error.kind(), ErrorKind::Unknown | ErrorKind::Rejected), "{error}");
            tokio::task::yield_now().await;
        }
        worst = worst.max(begun.elapsed());
        confirmed.fetch_add(1, Ordering::Relaxed);
    }
    worst
}

/// Deliveries that the workers have received and not settled.
fn in_hand(workers: &[RunningApp]) -> u64 {
    let of_one = |worker: &RunningApp| {
        let stats = worker.stats();
        stats.received.saturating_sub(stats.settled() + stats.retried + stats.unanswered)
    };
    workers.iter().map(of_one).sum()
}

/// Kills the node that leads the stream, and starts it again; its number.
async fn kill_leader(cluster: &mut NatsCluster, workers: &[RunningApp], publishers: &[JoinHandle<Duration>]) -> usize {
    let leader = cluster.leader(STREAM).await;
    eventually("deliveries are in hand", LIMIT, || ready((in_hand(workers) > 0).then_some(()))).await;
    assert!(!publishers.iter().all(JoinHandle::is_finished), "killed under load");
    let node = &mut cluster.nodes[leader];
    let before = node.process_id();
    node.kill();
    node.stay_away_for(DOWN).await;
    node.restart().await;
    assert_ne!(node.process_id(), before, "another process");
    leader
}

fn observed(runs: &Runs, events: u64) -> Observed {
    let all: BTreeSet<u64> = (0..events).collect();
    let runs = runs.lock().unwrap();
    let handled = runs.iter().flat_map(|(event, count)| std::iter::repeat_n(*event, *count)).collect();
    Observed { attempted: all.clone(), confirmed: all, handled, ..Observed::default() }
}

async fn a_killed_leader_costs_nothing(events: u64) {
    let mut cluster = NatsCluster::start().await;
    let (runs, confirmed) = (Runs::default(), Arc::new(AtomicU64::new(0)));
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(start_worker(&cluster.url(), &runs).await);
    }
    let publishers: Vec<JoinHandle<Duration>> = (0..PUBLISHERS)
        .map(|number| {
            let share = (number..events).step_by(PUBLISHERS as usize).collect();
            let publisher = workers[number as usize % WORKERS].publisher().clone();
            tokio::spawn(publish(publisher, share, confirmed.clone()))
        })
        .collect();
    eventually("a quarter is confirmed", LIMIT, || {
        ready((confirmed.load(Ordering::Relaxed) >= events / 4).then_some(()))
    })
    .await;
    let killed = kill_leader(&mut cluster, &workers, &publishers).await;
    let mut worst = Duration::ZERO;
    for publisher in publishers {
        let own = tokio::time::timeout(LIMIT, publisher).await.expect("every event is confirmed in time").unwrap();
        worst = worst.max(own);
    }
    assert!(worst <= LATENCY_MAX, "one publish took {worst:?}");

    let inspector = Inspector::connect(&cluster.nodes[killed].url()).await;
    eventually("the backlog is gone", DRAIN_MAX, || async {
        inspector.is_settled(STREAM, "b3-records").await.then_some(())
    })
    .await;
    let verdict = observed(&runs, events).assert_nothing_lost();
    assert!(verdict.extra_runs < events as usize / 5, "no storm of repeated runs: {}", verdict.extra_runs);
    // All of them are there, so that as many messages as events means that none is stored twice.
    let stream = inspector.jetstream.get_stream(STREAM).await.unwrap();
    assert_eq!(stream.cached_info().state.messages, events, "each event is stored once");
    assert_eq!(stream.cached_info().config.num_replicas, 3);
    for worker in workers {
        let report = worker.shutdown().await;
        assert_eq!((report.dead_lettered, report.discarded, report.lost), (0, 0, 0), "{report:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b3_a_killed_leader_loses_nothing() {
    a_killed_leader_costs_nothing(USUAL_EVENTS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long"]
async fn b3_a_killed_leader_loses_nothing_of_the_full_load() {
    a_killed_leader_costs_nothing(FULL_EVENTS).await;
}
