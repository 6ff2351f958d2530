//! Goal: a circuit that opens costs no attempt in a test either, and closes in virtual time. Method: a database that is
//! down for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use natspubsub::HealthStatus;
use natspubsub::prelude::*;

use crate::{orders, start};

#[derive(Clone, Default)]
struct Database(Arc<AtomicBool>);

#[topic_subscriber(
    "row.given",
    concurrency = 1,
    max_attempts = 4,
    backoff = "100ms",
    circuit_breaker(failures = 2, open = "3s", half_open = 1)
)]
async fn store(_row: u32, State(database): State<Database>) -> Result<(), Failure> {
    if database.0.load(Ordering::Relaxed) { Ok(()) } else { Err(Failure::transient("the database is down")) }
}

#[tokio::test]
async fn an_open_circuit_holds_messages_until_its_trial_succeeds() {
    let database = Database::default();
    let test = start(orders().state(database.clone()).subscriber(store {})).await;
    for row in 0..5 {
        test.publish("row.given", &row).await.unwrap();
    }
    test.advance(Duration::from_secs(1)).await;
    let health = test.health().await;
    assert_eq!(health.status, HealthStatus::Degraded, "{health:?}");
    assert!(health.problems[0].contains("orders-store is open"), "{health:?}");
    database.0.store(true, Ordering::Relaxed);
    test.settled().await;
    test.assert_handled("store", 5);
    test.assert_no_dead_letters();
    test.assert_healthy().await;
}
