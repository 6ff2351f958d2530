//! Goal: five retries with 48 seconds of backoff take milliseconds. Method: a handler that fails five times, and the
//! clock of the machine.

use std::time::{Duration, Instant};

use natspubsub::prelude::*;
use natspubsub::testing::TestApp;

#[topic_subscriber("order.created", max_attempts = 6, backoff = "1s, 2s, 5s, 10s, 30s")]
async fn reserve(order: String, ctx: Context) -> Result<(), Failure> {
    assert_eq!(order, "ORD-1");
    if ctx.attempt() < 6 { Err(Failure::transient("the warehouse is busy")) } else { Ok(()) }
}

#[tokio::test]
async fn five_retries_of_48_seconds_take_milliseconds() {
    let app = App::builder().config(Config::builder().app("orders").build().unwrap()).subscriber(reserve {}).build();
    let test = TestApp::start(app.unwrap()).await.unwrap();
    let (began, start) = (test.now(), Instant::now());
    let published = test.publish("order.created", "ORD-1").await.unwrap();
    test.settled().await;
    assert_eq!(test.attempts(&published.event_id).len(), 6);
    assert_eq!(test.handled("reserve"), 1);
    let virtually = test.now().duration_since(began).unsigned_abs();
    assert!(virtually > Duration::from_secs(38) && virtually < Duration::from_secs(60), "{virtually:?}");
    assert!(test.is_live() || start.elapsed() < Duration::from_millis(50), "{:?}", start.elapsed());
}
