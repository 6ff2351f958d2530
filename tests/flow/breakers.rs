//! Goal: while what every message needs is down, nothing is lost, nothing becomes a dead letter and pulling stops; then
//! everything is handled. Method: a dependency that the test switches off and on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually, unique};

const LIMIT: Duration = Duration::from_secs(30);

#[derive(Clone, Default)]
struct Database {
    down: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
}

impl Database {
    fn store(&self) -> Result<(), DatabaseError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.down.load(Ordering::Relaxed) { Err(DatabaseError::Down) } else { Ok(()) }
    }
}

#[derive(Debug, thiserror::Error, HandlerError)]
enum DatabaseError {
    #[error("the database is down")]
    #[infrastructure(pause = "300ms")]
    Down,
}

#[topic_subscriber("row.given", concurrency = 8, prefetch = 8, max_attempts = 2, ack_wait = "2s")]
async fn stores(_row: u32, State(database): State<Database>) -> Result<(), DatabaseError> {
    database.store()
}

async fn an_outage_of_the_database_costs_nothing(url: &str, rows: u32) {
    let database = Database::default();
    let app = App::builder().config(config(url, "rows")).state(database.clone()).subscriber(stores {});
    let running = app.build().unwrap().start().await.unwrap();
    database.down.store(true, Ordering::Relaxed);
    for row in 0..rows {
        running.publisher().publish("row.given", &row).await.unwrap();
    }
    // Longer than ack_wait and many pauses: what is held must not come again.
    eventually("some trials", LIMIT, || {
        std::future::ready((database.calls.load(Ordering::Relaxed) >= 16).then_some(()))
    })
    .await;
    let stats = running.stats();
    assert!(stats.received <= 16, "pulling stops: {stats:?}");
    assert_eq!((stats.processed, stats.retried, stats.dead_lettered), (0, 0, 0), "{stats:?}");
    let calls = database.calls.load(Ordering::Relaxed);
    assert!(calls <= 8 + 9, "one trial after each pause, not one for each message: {calls}");

    database.down.store(false, Ordering::Relaxed);
    let stats = running.wait_until(|stats| stats.processed == u64::from(rows), LIMIT).await.unwrap();
    assert_eq!((stats.received, stats.retried, stats.dead_lettered), (u64::from(rows), 0, 0), "{stats:?}");
    assert!(running.shutdown().await.is_clean());
}

#[tokio::test]
async fn on_memory_an_outage_of_the_database_costs_nothing() {
    an_outage_of_the_database_costs_nothing(&format!("memory:{}", unique("rows")), 100).await;
}

#[tokio::test]
async fn on_nats_an_outage_of_the_database_costs_nothing() {
    let server = NatsServer::start().await;
    an_outage_of_the_database_costs_nothing(&server.url(), 200).await;
    let inspector = Inspector::connect(&server.url()).await;
    assert!(inspector.is_settled("test-rows-stream", "rows-stores").await);
}

#[derive(Debug, thiserror::Error, HandlerError)]
enum HouseError {
    #[error("the house is closed")]
    #[infrastructure(pause = "60s")]
    Closed,
}

#[topic_subscriber("guest.came", concurrency = 8, prefetch = 8)]
async fn receives(_guest: u32, State(house): State<Database>) -> Result<(), HouseError> {
    house.store().map_err(|_| HouseError::Closed)
}

#[tokio::test]
async fn a_paused_process_asks_for_nothing_and_leaves_the_messages_to_the_others() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let start = |house: &Database| {
        let app = App::builder().config(config(&server.url(), "house")).state(house.clone()).subscriber(receives {});
        app.build().unwrap().start()
    };
    let closed = Database::default();
    closed.down.store(true, Ordering::Relaxed);
    let paused = start(&closed).await.unwrap();
    paused.publisher().publish("guest.came", &0_u32).await.unwrap();
    paused.wait_until(|stats| stats.received == 1, LIMIT).await.unwrap();
    eventually("what was asked for before has expired", LIMIT, || async {
        (inspector.consumer("test-house-stream", "house-receives").await.num_waiting == 0).then_some(())
    })
    .await;
    for guest in 1..=20_u32 {
        paused.publisher().publish("guest.came", &guest).await.unwrap();
    }
    let other = start(&Database::default()).await.unwrap();
    other.wait_until(|stats| stats.processed == 20, LIMIT).await.unwrap();
    assert_eq!(paused.stats().received, 1, "it holds the one that it had");
    let started = std::time::Instant::now();
    let report = paused.shutdown().await;
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "what only waits is given back at once: {:?}",
        started.elapsed()
    );
    assert_eq!((report.released, report.lost), (1, 0), "{report:?}");
    other.wait_until(|stats| stats.processed == 21, LIMIT).await.unwrap();
    assert!(other.shutdown().await.is_clean());
}

#[topic_subscriber(
    "call.made",
    concurrency = 1,
    prefetch = 0,
    max_attempts = 100,
    backoff = "1ms",
    max_backoff = "1ms",
    circuit_breaker(failures = 3, open = "400ms", half_open = 2)
)]
async fn calls(_call: u32, State(database): State<Database>) -> Result<(), std::io::Error> {
    database.store().map_err(std::io::Error::other)
}

#[tokio::test]
async fn failures_in_a_row_open_the_breaker_and_a_trial_closes_it() {
    let database = Database::default();
    database.down.store(true, Ordering::Relaxed);
    let url = format!("memory:{}", unique("calls"));
    let app = App::builder().config(config(&url, "calls")).state(database.clone()).subscriber(calls {});
    let running = app.build().unwrap().start().await.unwrap();
    let started = std::time::Instant::now();
    for call in 0..5_u32 {
        running.publisher().publish("call.made", &call).await.unwrap();
    }
    // Three failures open it, and each trial after that fails once: the sixth call is the third trial.
    eventually("three trials", LIMIT, || {
        std::future::ready((database.calls.load(Ordering::Relaxed) >= 6).then_some(()))
    })
    .await;
    assert!(started.elapsed() >= Duration::from_millis(1_200), "a pause before each trial: {:?}", started.elapsed());
    database.down.store(false, Ordering::Relaxed);
    let stats = running.wait_until(|stats| stats.processed == 5, LIMIT).await.unwrap();
    assert_eq!(stats.dead_lettered, 0, "{stats:?}");
    running.shutdown().await;
}

#[topic_subscriber("step.made", rate_limit = "20/s")]
async fn steps(_step: u32) {}

#[tokio::test]
async fn a_rate_limit_spreads_the_runs() {
    let url = format!("memory:{}", unique("steps"));
    let running = App::builder().config(config(&url, "steps")).subscriber(steps {}).build().unwrap();
    let running = running.start().await.unwrap();
    let started = std::time::Instant::now();
    for step in 0..40_u32 {
        running.publisher().publish("step.made", &step).await.unwrap();
    }
    running.wait_until(|stats| stats.processed == 40, LIMIT).await.unwrap();
    let elapsed = started.elapsed();
    assert!(elapsed >= Duration::from_millis(950), "20 at once, then 20 in a second: {elapsed:?}");
    running.shutdown().await;
}
