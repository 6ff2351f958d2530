//! Goal: a test that waits in vain says for what. Method: a handler that does not end, and an application that does not
//! run.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use natspubsub::prelude::*;
use natspubsub::testing::TestApp;

use crate::{orders, start};

#[topic_subscriber("order.created", concurrency = 1, prefetch = 0, timeout = "none")]
async fn stuck(_order: u32) {
    std::future::pending::<()>().await;
}

async fn failure(waiting: impl Future<Output = ()>) -> String {
    let panic = AssertUnwindSafe(waiting).catch_unwind().await.expect_err("it is settled");
    *panic.downcast::<String>().unwrap()
}

const STUCK: &str = "\
not settled within 2s:
  orders-stuck of development-orders-stream: 1 delivered and not answered, 2 not delivered
  last: 2026-01-01T00:00:00Z stuck attempt 1 of order.created first: still running
";

#[tokio::test]
async fn what_is_not_settled_is_named() {
    let app = orders().subscriber(stuck {}).build().unwrap();
    let test = TestApp::builder().settle_within(Duration::from_secs(2)).start(app).await.unwrap();
    let publisher = test.publisher().await.unwrap();
    for id in ["first", "second", "third"] {
        let publisher = publisher.clone();
        let publish = async move { publisher.message(&1).topic("order.created").event_id(id).publish().await };
        test.run(publish).await.unwrap().unwrap();
    }
    let text = failure(test.settled()).await;
    assert!(text.contains("1 delivered and not answered, 2 not delivered"), "{text}");
    // Environment and times are others against a server.
    assert!(test.is_live() || text == STUCK, "{text}");
}

#[tokio::test]
async fn without_an_application_there_is_nothing_to_wait_for() {
    let test = start(orders().publish_only()).await;
    test.settled().await;
    test.crash().await;
    let text = failure(test.settled()).await;
    assert!(text.contains("start_again() starts it"), "{text}");
    // Its time passes with it; that of a server always does.
    if !test.is_live() {
        let text = failure(test.advance(Duration::from_secs(1))).await;
        assert!(text.contains("start_again() starts it"), "{text}");
    }
}
