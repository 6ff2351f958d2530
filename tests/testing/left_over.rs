//! Goal: what a handler leaves behind is waited for, and a settling that cannot end says so. Method: buffered and spawned
//! publishes, a message that causes itself, and an application that crashes again and again.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use natspubsub::prelude::*;
use natspubsub::testing::{Profile, TestApp};

use crate::{orders, start};

async fn failure(test: &TestApp) -> String {
    let panic = AssertUnwindSafe(test.settled()).catch_unwind().await.expect_err("it is settled");
    *panic.downcast::<String>().unwrap()
}

#[topic_subscriber("order.created")]
async fn audited(order: u32, publisher: Publisher) -> Result<(), Failure> {
    let buffered = publisher.buffered();
    buffered.add("audit.made", &order).await.map_err(Failure::transient)?;
    Ok(())
}

#[tokio::test]
async fn buffered_publishes_are_waited_for() {
    let test = start(orders().subscriber(audited {})).await;
    test.publish("order.created", &1).await.unwrap();
    test.settled().await;
    assert_eq!(test.published::<u32>("audit.made"), [1]);
}

#[topic_subscriber("order.created")]
async fn leaves_it_to_a_task(order: u32, publisher: Publisher) {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        publisher.publish("audit.made", &order).await
    });
}

#[tokio::test]
async fn what_a_task_does_soon_is_waited_for_on_request() {
    let app = orders().subscriber(leaves_it_to_a_task {}).build().unwrap();
    let test = TestApp::builder().settle_after(Duration::from_millis(100)).start(app).await.unwrap();
    test.publish("order.created", &1).await.unwrap();
    test.settled().await;
    assert_eq!(test.published::<u32>("audit.made"), [1]);
}

#[topic_subscriber("order.created")]
async fn again(order: u32, publisher: Publisher) -> Result<(), Failure> {
    tokio::time::sleep(Duration::from_millis(20)).await;
    publisher.publish("order.created", &(order + 1)).await.map_err(Failure::transient)?;
    Ok(())
}

#[tokio::test]
async fn a_message_that_causes_itself_never_settles() {
    let app = orders().subscriber(again {}).build().unwrap();
    let test = TestApp::builder().settle_within(Duration::from_secs(2)).start(app).await.unwrap();
    test.publish("order.created", &1).await.unwrap();
    let text = failure(&test).await;
    assert!(text.starts_with("not settled within 2s"), "{text}");
}

#[topic_subscriber("order.created")]
async fn never_begins(_order: u32) {}

#[tokio::test]
async fn a_limit_holds_over_crashes() {
    let app = orders().subscriber(never_begins {}).build().unwrap();
    let crashes = TestApp::faults(1, Profile::none().crash_before_handler(1.0));
    let test = crashes.settle_within(Duration::from_secs(600)).start(app).await.unwrap();
    if test.is_live() {
        return; // A server has no faults on purpose.
    }
    let begin = test.now();
    test.publish("order.created", &1).await.unwrap();
    let text = failure(&test).await;
    assert!(text.starts_with("not settled within 600s"), "{text}");
    let taken = test.now().duration_since(begin).as_secs();
    assert!((600..700).contains(&taken), "{taken} s");
}
