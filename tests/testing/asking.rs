//! Goal: a test that asks for what never comes, or from the wrong place, goes on. Method: answers that are given up, that
//! panic, and that would wait for themselves.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use natspubsub::prelude::*;
use natspubsub::testing::TestApp;

use crate::{orders, start};

#[tokio::test]
async fn what_is_given_up_does_not_hold_the_test() {
    let test = start(orders().publish_only()).await;
    let never = test.run(std::future::pending::<()>());
    tokio::time::timeout(Duration::from_millis(20), never).await.unwrap_err();
    test.publish("order.created", &1).await.unwrap();
    assert_eq!(test.published::<u32>("order.created"), [1]);
}

#[tokio::test]
async fn a_panic_in_the_world_of_the_test_is_that_of_the_test() {
    let test = start(orders().publish_only()).await;
    if test.is_live() {
        return; // It runs on the runtime of the test.
    }
    let failing = test.run(async { assert_eq!(1, 2, "the sum is wrong") });
    let panic = AssertUnwindSafe(failing).catch_unwind().await.unwrap_err();
    let text = panic.downcast::<String>().unwrap();
    assert!(text.contains("the sum is wrong"), "{text}");
    test.publish("order.created", &1).await.unwrap();
}

#[tokio::test]
async fn asking_from_inside_fails_at_once() {
    let test = Arc::new(start(orders().publish_only()).await);
    if test.is_live() {
        return; // Nothing is inside.
    }
    let inner = test.clone();
    let nested =
        test.run(async move { AssertUnwindSafe(inner.publish("order.created", &1)).catch_unwind().await.is_err() });
    assert!(nested.await.unwrap(), "it fails");
}

#[tokio::test]
async fn with_real_io_time_stands_still_beside_the_application_too() {
    let app = orders().publish_only().build().unwrap();
    let test = TestApp::builder().real_io().start(app).await.unwrap();
    let begin = test.now();
    let (done, answer) = tokio::sync::oneshot::channel();
    let real = std::thread::spawn(move || {
        std::thread::park_timeout(Duration::from_millis(200));
        done.send(7)
    });
    assert_eq!(test.run(answer).await.unwrap(), Ok(7));
    real.join().unwrap().unwrap();
    assert!(test.is_live() || test.now() == begin, "{} passed", test.now().duration_since(begin));
}

#[topic_subscriber("order.created")]
async fn on_order(_order: u32) {}

#[tokio::test]
async fn an_application_whose_streams_others_make_is_tested_too() {
    for manage in [natspubsub::Manage::Off, natspubsub::Manage::Verify] {
        let config = Config::builder().app("orders").manage(manage).build().unwrap();
        let app = App::builder().config(config).subscriber(on_order {}).build().unwrap();
        let test = TestApp::start(app).await.unwrap();
        test.publish("order.created", &1).await.unwrap();
        test.settled().await;
        test.assert_handled("on_order", 1);
    }
}

#[topic_subscriber("order.created", max_attempts = 2, backoff = "1s", jitter = false)]
async fn fails(_order: u32) -> Result<(), Failure> {
    Err(Failure::transient("not yet"))
}

#[tokio::test]
async fn what_is_due_at_the_end_of_an_advance_has_happened() {
    let test = start(orders().subscriber(fails {})).await;
    if test.is_live() {
        return; // Real time is never exact.
    }
    let id = test.publish("order.created", &1).await.unwrap().event_id;
    test.advance(Duration::ZERO).await;
    test.assert_attempts(&id, 1);
    test.advance(Duration::from_secs(1)).await;
    test.assert_attempts(&id, 2);
}
