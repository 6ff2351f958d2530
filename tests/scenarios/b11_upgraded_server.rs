//! Goal: an upgrade of the server from 2.12.8 to 2.15.1 on the same store, of one server and of a cluster node by node,
//! loses nothing and stores nothing twice. Method: 20 publishers that go on until each of 20,000 events is confirmed,
//! three applications on one durable; each server ends in order under load and starts again as the newer version.
//!
//! With an inbox effects are exactly once, which is another test.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::jetstream;
use natspubsub::prelude::*;
use natspubsub::{ErrorKind, RunningApp};
use natspubsub_tests::{Inspector, NatsCluster, NatsServer, Observed, eventually};
use tokio::task::JoinHandle;

const OLD: &str = "2.12.8";
const NEW: &str = "2.15.1";
const EVENTS: u64 = 20_000;
const PUBLISHERS: u64 = 20;
const WORKERS: usize = 3;
const LIMIT: Duration = Duration::from_secs(90);
const STREAM: &str = "test-b11-stream";
const DURABLE: &str = "b11-records";

/// How often each event ran.
type Runs = Arc<Mutex<BTreeMap<u64, usize>>>;

#[topic_subscriber("event.made", ack_wait = "3s", concurrency = 16)]
async fn records(event: u64, State(runs): State<Runs>) {
    tokio::time::sleep(Duration::from_millis(2)).await;
    *runs.lock().unwrap().entry(event).or_default() += 1;
}

/// Publishes its share of the events, one in each `pace`, each until it is confirmed.
async fn publish(publisher: Publisher, first: u64, pace: Duration, confirmed: Arc<AtomicU64>) {
    let mut pace = tokio::time::interval(pace);
    for event in (first..EVENTS).step_by(PUBLISHERS as usize) {
        pace.tick().await;
        let id = format!("b11-{event}");
        while let Err(error) = publisher.message(&event).topic("event.made").event_id(id.as_str()).publish().await {
            assert!(matches!(error.kind(), ErrorKind::Unknown | ErrorKind::Rejected), "{error}");
            tokio::task::yield_now().await;
        }
        confirmed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Publishers and workers at work.
struct Storm {
    workers: Vec<RunningApp>,
    publishers: Vec<JoinHandle<()>>,
    runs: Runs,
    confirmed: Arc<AtomicU64>,
}

impl Storm {
    async fn start(config: &Config, pace: Duration) -> Self {
        let (runs, confirmed) = (Runs::default(), Arc::new(AtomicU64::new(0)));
        let mut workers = Vec::new();
        for _ in 0..WORKERS {
            let app = App::builder().config(config.clone()).state(runs.clone()).subscriber(records {});
            workers.push(app.build().unwrap().start().await.unwrap());
        }
        let publishers = (0..PUBLISHERS)
            .map(|number| {
                let publisher = workers[number as usize % WORKERS].publisher().clone();
                tokio::spawn(publish(publisher, number, pace, confirmed.clone()))
            })
            .collect();
        Self { workers, publishers, runs, confirmed }
    }

    /// Waits until so many events are confirmed; the load goes on.
    async fn reach(&self, events: u64) {
        eventually("enough is confirmed for the next upgrade", LIMIT, || {
            ready((self.confirmed.load(Ordering::Relaxed) >= events).then_some(()))
        })
        .await;
        assert!(!self.publishers.iter().all(JoinHandle::is_finished), "upgraded under load");
    }

    fn observed(&self) -> Observed {
        let all: BTreeSet<u64> = (0..EVENTS).collect();
        let runs = self.runs.lock().unwrap();
        let handled = runs.iter().flat_map(|(event, count)| std::iter::repeat_n(*event, *count)).collect();
        Observed { attempted: all.clone(), confirmed: all, handled, ..Observed::default() }
    }

    /// Waits for the end of the load and checks what became of it.
    async fn end(mut self, url: &str) {
        for publisher in std::mem::take(&mut self.publishers) {
            tokio::time::timeout(LIMIT, publisher).await.expect("every event is confirmed in time").unwrap();
        }
        let inspector = Inspector::connect(url).await;
        eventually("the backlog is gone", LIMIT, || async {
            inspector.is_settled(STREAM, DURABLE).await.then_some(())
        })
        .await;
        let verdict = self.observed().assert_nothing_lost();
        assert!(verdict.extra_runs < EVENTS as usize / 5, "no storm of repeated runs: {}", verdict.extra_runs);
        // All of them are there, so that as many messages as events means that none is stored twice.
        let stream = inspector.jetstream.get_stream(STREAM).await.unwrap();
        assert_eq!(stream.cached_info().state.messages, EVENTS, "each event is stored once");
        for worker in self.workers {
            let report = worker.shutdown().await;
            assert_eq!((report.dead_lettered, report.discarded, report.lost), (0, 0, 0), "{report:?}");
        }
    }
}

/// Ends the server in order and starts it as the newer version on the same store.
async fn upgrade(server: &mut NatsServer) {
    let before = (server.process_id(), version(server).await);
    assert_eq!(before.1, OLD);
    server.stop().await;
    server.restart_as(NEW).await;
    assert_ne!(server.process_id(), before.0, "another process");
    assert_eq!(version(server).await, NEW);
}

async fn version(server: &NatsServer) -> String {
    Inspector::connect(&server.url()).await.client.server_info().version
}

/// Waits, as an operator does before the next node, until the stream is whole on all three.
async fn until_whole(node: &NatsServer) {
    let url = node.url();
    eventually("every node has the whole stream", LIMIT, || async {
        let client = async_nats::connect(&url).await.ok()?;
        let stream = jetstream::new(client).get_stream(STREAM).await.ok()?;
        let cluster = stream.cached_info().cluster.as_ref()?;
        let current = cluster.replicas.iter().filter(|peer| peer.current && !peer.offline).count();
        (cluster.leader.is_some() && current == 2).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long"]
async fn b11_an_upgraded_server_loses_nothing() {
    let mut server = NatsServer::start_version(OLD, "").await;
    let config = Config::builder().url(server.url()).env("test").app("b11").build().unwrap();
    // At most 2,000 a second.
    let storm = Storm::start(&config, Duration::from_millis(10)).await;
    storm.reach(EVENTS / 3).await;
    upgrade(&mut server).await;
    storm.end(&server.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long"]
async fn b11_a_cluster_upgraded_node_by_node_loses_nothing() {
    let mut cluster = NatsCluster::start_version(OLD).await;
    let config = Config::builder().url(cluster.url()).env("test").app("b11").stream_replicas(3).build().unwrap();
    // At most 500 a second: the load lasts 40 s, longer than three upgrades.
    let storm = Storm::start(&config, Duration::from_millis(40)).await;
    for number in 0..cluster.nodes.len() {
        storm.reach(EVENTS * (1 + 3 * number as u64) / 10).await;
        upgrade(&mut cluster.nodes[number]).await;
        until_whole(&cluster.nodes[number]).await;
    }
    let url = cluster.nodes[0].url();
    storm.end(&url).await;
}
