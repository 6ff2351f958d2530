//! Goal: while the database of a handler swallows all that is sent to it, pulling stops within 3 s, readiness says that the
//! circuit is open, and nothing becomes a dead letter; when it answers again, the work goes on within 5 s. Method: a real
//! PostgreSQL behind a proxy that becomes a blackhole; each handler writes a row, with a time limit of its own and an error
//! marked as infrastructure.

use std::time::{Duration, Instant};

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, Mode, NatsServer, PostgresServer, Proxy, eventually, get, watched};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

const IN_HAND_MAX: u64 = 16;
const STATEMENT_LIMIT: Duration = Duration::from_millis(500);
const PULLS_STOP: Duration = Duration::from_secs(3);
const PULLS_RESUME: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error, HandlerError)]
enum WriteError {
    #[error("the database does not answer")]
    #[infrastructure(pause = "1s")]
    NoAnswer,
}

#[topic_subscriber("row.made", concurrency = 8, prefetch = 8, max_attempts = 2, ack_wait = "2s")]
async fn rows(row: i64, State(pool): State<PgPool>) -> Result<(), WriteError> {
    // The handler's own work: all of it takes longer than a second.
    tokio::time::sleep(Duration::from_millis(10)).await;
    let written = sqlx::query("INSERT INTO rows VALUES ($1)").bind(row).execute(&pool);
    match tokio::time::timeout(STATEMENT_LIMIT, written).await {
        Ok(Ok(_)) => Ok(()),
        _ => Err(WriteError::NoAnswer),
    }
}

async fn h2_database_is_a_blackhole(messages: u64, outage: Duration) {
    let server = NatsServer::start().await;
    let postgres = PostgresServer::start().await;
    let direct = postgres.pool().await;
    sqlx::query("CREATE TABLE rows (n bigint NOT NULL)").execute(&direct).await.unwrap();
    let mut url = url::Url::parse(postgres.url()).unwrap();
    let proxy = Proxy::to(("127.0.0.1", url.port().unwrap())).await;
    url.set_port(Some(proxy.address().port())).unwrap();
    let options = PgPoolOptions::new().max_connections(8).acquire_timeout(STATEMENT_LIMIT);
    let pool = options.connect(url.as_str()).await.unwrap();

    let publisher = Publisher::connect(natspubsub_tests::config(&server.url(), "h2-db")).await.unwrap();
    let app = App::builder().config(watched(&server.url(), "h2-db")).state(pool).subscriber(rows {});
    let running = app.build().unwrap().start().await.unwrap();
    let address = running.admin_address().unwrap();
    let all: Vec<i64> = (0..messages.cast_signed()).collect();
    let publishing = tokio::spawn(async move {
        let mut batch = publisher.batch();
        for row in &all {
            batch.add("row.made", row);
        }
        assert!(batch.publish().await.is_ok());
    });
    running.wait_until(|stats| stats.processed >= messages / 20, LIMIT).await.unwrap();

    proxy.set(Mode::Blackhole { up: true, down: true });
    let begun = Instant::now();
    publishing.await.unwrap();
    server.stay_away_for(PULLS_STOP.saturating_sub(begun.elapsed())).await;
    let stopped = running.stats();
    assert!(stopped.received < messages, "messages wait at the server: {stopped:?}");
    assert!(stopped.received <= stopped.settled() + IN_HAND_MAX, "{stopped:?}");
    let paused = get(address, "/readyz").await.unwrap();
    let told = paused.check("subscriber:h2-db-rows");
    assert_eq!((paused.status, &told["status"]), (200, &serde_json::json!("degraded")), "{}", paused.text);
    assert!(told["message"].as_str().unwrap().starts_with("the circuit of h2-db-rows is open"), "{told}");
    server.stay_away_for(outage.saturating_sub(begun.elapsed())).await;
    assert_eq!(running.stats(), stopped, "pulling has stopped, and nothing is settled");
    assert_eq!(get(address, "/livez").await.unwrap().status, 200);
    assert!(proxy.swallowed() > 0, "the statements went into the blackhole");

    // What went into the blackhole is lost for good: connections that waited for it are made anew.
    proxy.set(Mode::Pass);
    proxy.reset();
    running.wait_until(|stats| stats.received > stopped.received, PULLS_RESUME).await.unwrap();
    let stats = running.wait_until(|stats| stats.processed == messages, LIMIT).await.unwrap();
    assert_eq!((stats.retried, stats.dead_lettered), (0, 0), "{stats:?}");
    eventually("it is ready without a reservation", LIMIT, || async {
        (get(address, "/readyz").await.unwrap().json()["status"] == "healthy").then_some(())
    })
    .await;
    assert!(running.shutdown().await.is_clean());
    let written: i64 = sqlx::query_scalar("SELECT count(DISTINCT n) FROM rows").fetch_one(&direct).await.unwrap();
    assert_eq!(written.cast_unsigned(), messages, "every row is there");
    let inspector = Inspector::connect(&server.url()).await;
    assert_eq!(inspector.messages("test-h2-db-dlq").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h2_database_is_a_blackhole_for_a_while() {
    h2_database_is_a_blackhole(1_000, Duration::from_secs(6)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the whole outage takes long"]
async fn h2_database_is_a_blackhole_long() {
    h2_database_is_a_blackhole(1_000, Duration::from_secs(20)).await;
}
