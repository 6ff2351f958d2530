//! Goal: the same test does the same again: ids, times, attempts. Method: two runs, compared, with jitter; and a third with
//! another seed.

use natspubsub::prelude::*;
use natspubsub::testing::{Attempt, TestApp};

use crate::orders;

#[topic_subscriber(
    "order.created",
    max_attempts = 4,
    concurrency = 4,
    backoff = "1s, 5s",
    publishes = "stock.reserved"
)]
async fn reserve(order: u32, ctx: Context) -> Result<u32, Failure> {
    if ctx.attempt() <= u64::from(order % 4) { Err(Failure::transient("busy")) } else { Ok(order) }
}

#[topic_subscriber("stock.reserved", rate_limit = "5/s")]
async fn ship(_order: u32) {
    tokio::time::sleep(std::time::Duration::from_millis(30)).await;
}

/// Every attempt of a run, and every message in its order; `None` against a server.
async fn run(seed: u64) -> Option<(Vec<Attempt>, Vec<u32>, String)> {
    let app = orders().subscriber(reserve {}).subscriber(ship {}).build().unwrap();
    let test = TestApp::builder().seed(seed).start(app).await.unwrap();
    let mut ids = Vec::new();
    for order in 0..12 {
        ids.push(test.publish("order.created", &order).await.unwrap().event_id);
    }
    test.settled().await;
    let attempts = ids.iter().flat_map(|id| test.attempts(id)).collect();
    (!test.is_live()).then(|| (attempts, test.published("stock.reserved"), test.now().to_string()))
}

#[tokio::test]
async fn the_same_seed_gives_the_same_run() {
    let Some(first) = run(7).await else { return };
    for _ in 0..3 {
        assert!(run(7).await.as_ref() == Some(&first), "another run for the same seed");
    }
    let other = run(8).await.unwrap();
    assert_ne!(first.0[0].event_id, other.0[0].event_id);
    assert_ne!(first.2, other.2, "jitter comes from the seed");
}
