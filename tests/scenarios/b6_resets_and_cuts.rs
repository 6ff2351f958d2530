//! Goal: a connection that is reset every two seconds for a minute, and cut in the middle of a message in between,
//! loses nothing, stores nothing twice, and repeats no more runs than three times what could run at each reset. Method:
//! a proxy between the application and the server; 10,000 events over the minute, each published until it is confirmed.
//!
//! With an inbox effects are exactly once, which is another test.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::{ErrorKind, RunningApp};
use natspubsub_tests::{Inspector, NatsServer, Observed, Proxy, eventually};
use tokio::task::JoinSet;

const EVENTS: u64 = 10_000;
const PACE: Duration = Duration::from_millis(6);
const ROUNDS: u64 = 30;
const ROUND: Duration = Duration::from_secs(2);
const CONCURRENCY: u64 = 8;
const LIMIT: Duration = Duration::from_secs(60);

/// Where the numbers of the cuts begin.
const SEED: u64 = 0x5DEE_CE66;

/// The most bytes between the order of a cut and the cut.
const CUT_MAX: u64 = 8_000;

#[derive(Clone, Default)]
struct Diary {
    runs: Arc<Mutex<Vec<u64>>>,
    redelivered: Arc<AtomicU64>,
}

#[topic_subscriber("event.made", ack_wait = "3s", concurrency = 8, prefetch = 8)]
async fn records(event: u64, ctx: Context, State(diary): State<Diary>) {
    if ctx.deliveries() > 1 {
        diary.redelivered.fetch_add(1, Ordering::Relaxed);
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    diary.runs.lock().unwrap().push(event);
}

async fn start_app(url: &str, diary: &Diary) -> RunningApp {
    let config = Config::builder().url(url).env("test").app("b6").publish_timeout(Duration::from_secs(1));
    let app = App::builder().config(config.build().unwrap()).state(diary.clone()).subscriber(records {});
    app.build().unwrap().start().await.unwrap()
}

/// Publishes until the event is confirmed.
async fn publish(publisher: Publisher, event: u64) {
    let id = format!("b6-{event}");
    while let Err(error) = publisher.message(&event).topic("event.made").event_id(id.as_str()).publish().await {
        assert!(matches!(error.kind(), ErrorKind::Unknown | ErrorKind::Rejected), "{error}");
        tokio::task::yield_now().await;
    }
}

/// Begins a publish every 6 ms.
async fn load(publisher: Publisher) {
    let mut pace = tokio::time::interval(PACE);
    let mut publishing = JoinSet::new();
    for event in 0..EVENTS {
        pace.tick().await;
        publishing.spawn(publish(publisher.clone(), event));
    }
    publishing.join_all().await;
}

/// The next of a row of numbers that looks random and is the same each time (xorshift).
fn next(number: u64) -> u64 {
    let number = number ^ (number << 13);
    let number = number ^ (number >> 7);
    number ^ (number << 17)
}

/// Resets the connection each two seconds, and cuts it a second later.
async fn disturb(proxy: &Proxy) {
    let mut pace = tokio::time::interval(ROUND / 2);
    let mut number = SEED;
    // The first tick comes at once.
    pace.tick().await;
    for _ in 0..ROUNDS {
        pace.tick().await;
        proxy.reset();
        pace.tick().await;
        number = next(number);
        proxy.cut_after(number % CUT_MAX);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long"]
async fn b6_resets_and_cuts_lose_nothing() {
    let server = NatsServer::start().await;
    let proxy = Proxy::to(server.address()).await;
    let diary = Diary::default();
    let running = start_app(&proxy.url(), &diary).await;
    let load = tokio::spawn(load(running.publisher().clone()));
    disturb(&proxy).await;
    tokio::time::timeout(LIMIT, load).await.expect("every event is confirmed in time").unwrap();

    let inspector = Inspector::connect(&server.url()).await;
    eventually("everything is handled", LIMIT, || async {
        inspector.is_settled("test-b6-stream", "b6-records").await.then_some(())
    })
    .await;
    // The application has one connection: each reset and each cut ended it.
    let resets = proxy.resets();
    assert!(resets > ROUNDS, "{resets} resets in {ROUNDS} rounds");
    assert!(proxy.connections() > ROUNDS, "connected again after each");
    assert!(diary.redelivered.load(Ordering::Relaxed) > 0, "deliveries were on their way when the connection broke");

    let all: BTreeSet<u64> = (0..EVENTS).collect();
    let handled = diary.runs.lock().unwrap().clone();
    let observed = Observed { attempted: all.clone(), confirmed: all, handled, ..Observed::default() };
    let verdict = observed.assert_nothing_lost();
    let repeated = verdict.extra_runs as u64;
    assert!(repeated <= 3 * resets * CONCURRENCY, "{repeated} repeated runs after {resets} resets");
    let stream = inspector.jetstream.get_stream("test-b6-stream").await.unwrap();
    assert_eq!(stream.cached_info().state.messages, EVENTS, "each event is stored once");
    let report = running.shutdown().await;
    assert_eq!((report.dead_lettered, report.discarded, report.lost), (0, 0, 0), "{report:?}");
}
