//! Goal: a server that is killed three times in a storm loses nothing and stores nothing twice, and the backlog is gone
//! within 20 s. Method: 20 publishers that go on until each of 40,000 events is confirmed, three applications on one
//! durable, `kill -9` and half a second without a server, each time with deliveries in hand.
//!
//! An event that was in hand at a kill may run twice: with an inbox its effects are exactly once, and that is another
//! test. Here only a storm of repeated runs is a fault.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::{ErrorKind, RunningApp};
use natspubsub_tests::{Inspector, NatsServer, Observed, eventually};
use tokio::task::JoinHandle;

const EVENTS: u64 = 40_000;
const PUBLISHERS: u64 = 20;
const WORKERS: usize = 3;
const KILLS: u64 = 3;
const DOWN: Duration = Duration::from_millis(500);
const DRAIN_MAX: Duration = Duration::from_secs(20);
const LIMIT: Duration = Duration::from_secs(120);

/// How often each event ran.
type Runs = Arc<Mutex<BTreeMap<u64, usize>>>;

#[topic_subscriber("event.made", ack_wait = "3s", concurrency = 16)]
async fn records(event: u64, State(runs): State<Runs>) {
    tokio::time::sleep(Duration::from_millis(2)).await;
    *runs.lock().unwrap().entry(event).or_default() += 1;
}

async fn start_worker(url: &str, runs: &Runs) -> RunningApp {
    let config = Config::builder().url(url).env("test").app("b1").publish_timeout(Duration::from_secs(2));
    let app = App::builder().config(config.build().unwrap()).state(runs.clone()).subscriber(records {});
    app.build().unwrap().start().await.unwrap()
}

/// Publishes its share of the events, each until it is confirmed.
async fn publish(publisher: Publisher, first: u64, confirmed: Arc<AtomicU64>) {
    for event in (first..EVENTS).step_by(PUBLISHERS as usize) {
        let id = format!("b1-{event}");
        while let Err(error) = publisher.message(&event).topic("event.made").event_id(id.as_str()).publish().await {
            assert!(matches!(error.kind(), ErrorKind::Unknown | ErrorKind::Rejected), "{error}");
            tokio::task::yield_now().await;
        }
        confirmed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Deliveries that the workers have received and not settled.
fn in_hand(workers: &[RunningApp]) -> u64 {
    let of_one = |worker: &RunningApp| {
        let stats = worker.stats();
        stats.received.saturating_sub(stats.settled() + stats.retried + stats.unanswered)
    };
    workers.iter().map(of_one).sum()
}

/// Kills the server in the middle of the storm and starts it again.
async fn kill(server: &mut NatsServer, workers: &[RunningApp], publishers: &[JoinHandle<()>]) {
    eventually("deliveries are in hand", LIMIT, || ready((in_hand(workers) > 0).then_some(()))).await;
    assert!(!publishers.iter().all(JoinHandle::is_finished), "killed under load");
    let before = server.process_id();
    server.kill();
    server.stay_away_for(DOWN).await;
    server.restart().await;
    assert_ne!(server.process_id(), before, "another process");
}

fn observed(runs: &Runs) -> Observed {
    let all: BTreeSet<u64> = (0..EVENTS).collect();
    let runs = runs.lock().unwrap();
    let handled = runs.iter().flat_map(|(event, count)| std::iter::repeat_n(*event, *count)).collect();
    Observed { attempted: all.clone(), confirmed: all, handled, ..Observed::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b1_a_server_killed_in_a_storm_loses_nothing() {
    let mut server = NatsServer::start().await;
    let (runs, confirmed) = (Runs::default(), Arc::new(AtomicU64::new(0)));
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(start_worker(&server.url(), &runs).await);
    }
    let publishers: Vec<JoinHandle<()>> = (0..PUBLISHERS)
        .map(|number| {
            let publisher = workers[number as usize % WORKERS].publisher().clone();
            tokio::spawn(publish(publisher, number, confirmed.clone()))
        })
        .collect();
    for number in 1..=KILLS {
        let share = EVENTS * number / (KILLS + 1);
        eventually("enough is confirmed for the next kill", LIMIT, || {
            ready((confirmed.load(Ordering::Relaxed) >= share).then_some(()))
        })
        .await;
        kill(&mut server, &workers, &publishers).await;
    }
    for publisher in publishers {
        tokio::time::timeout(LIMIT, publisher).await.expect("every event is confirmed in time").unwrap();
    }
    assert_eq!(confirmed.load(Ordering::Relaxed), EVENTS);

    let inspector = Inspector::connect(&server.url()).await;
    eventually("the backlog is gone", DRAIN_MAX, || async {
        inspector.is_settled("test-b1-stream", "b1-records").await.then_some(())
    })
    .await;
    let verdict = observed(&runs).assert_nothing_lost();
    assert!(verdict.extra_runs < EVENTS as usize / 5, "no storm of repeated runs: {}", verdict.extra_runs);
    // All of them are there, so that as many messages as events means that none is stored twice.
    let stream = inspector.jetstream.get_stream("test-b1-stream").await.unwrap();
    assert_eq!(stream.cached_info().state.messages, EVENTS, "each event is stored once");
    for worker in workers {
        let report = worker.shutdown().await;
        assert_eq!((report.dead_lettered, report.discarded, report.lost), (0, 0, 0), "{report:?}");
    }
}
