//! Goal: five retries with 48 seconds of backoff take milliseconds. Method: a handler that fails five times, and the
//! clock of the machine.

use std::time::{Duration, Instant};

use natspubsub::prelude::*;
use natspubsub::testing::TestApp;

use crate::orders;

#[topic_subscriber("order.created", max_attempts = 6, backoff = "1s, 2s, 5s, 10s, 30s")]
async fn reserve(order: String, ctx: Context) -> Result<(), Failure> {
    assert_eq!(order, "ORD-1");
    if ctx.attempt() < 6 { Err(Failure::transient("the warehouse is busy")) } else { Ok(()) }
}

/// How long the scenario takes, in virtual time and in that of the machine.
async fn taken() -> (Duration, Duration) {
    let start = Instant::now();
    let app = orders().subscriber(reserve {}).build().unwrap();
    let test = TestApp::start(app).await.unwrap();
    let began = test.now();
    let published = test.publish("order.created", "ORD-1").await.unwrap();
    test.settled().await;
    test.assert_attempts(&published.event_id, 6);
    test.assert_handled("reserve", 1);
    (test.now().duration_since(began).unsigned_abs(), start.elapsed())
}

#[tokio::test]
async fn five_retries_of_48_seconds_take_milliseconds() {
    let is_live = std::env::var_os("NATSPUBSUB_TEST_URL").is_some();
    // The machine may be busy with something else for a moment.
    let mut fastest = Duration::MAX;
    for _ in 0..if is_live { 1 } else { 10 } {
        let (virtually, really) = taken().await;
        assert!(virtually > Duration::from_secs(38) && virtually < Duration::from_secs(60), "{virtually:?}");
        fastest = fastest.min(really);
    }
    assert!(is_live || fastest < Duration::from_millis(50), "{fastest:?}");
}
