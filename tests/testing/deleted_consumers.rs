//! Goal: what is in hand of a consumer that was deleted and made again does not strike the delivery by the new one.
//! Method: faults that delete the consumer while slow handlers fail, and the trace of each run.

use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::testing::{Profile, TestApp};

use crate::orders;

#[topic_subscriber("order.created", concurrency = 4, max_attempts = 50, backoff = "1s", jitter = false)]
async fn slow(_order: u32, ctx: Context) -> Result<(), Failure> {
    tokio::time::sleep(Duration::from_secs(7)).await;
    if ctx.attempt() < 3 { Err(Failure::transient("not yet")) } else { Ok(()) }
}

#[tokio::test]
async fn a_failure_of_an_old_delivery_does_not_give_the_new_one_back() {
    let (mut deleted, mut stale) = (0, Vec::new());
    for seed in 0..10 {
        let app = orders().subscriber(slow {}).build().unwrap();
        let test = TestApp::faults(seed, Profile::none().delete_consumer(0.2)).start(app).await.unwrap();
        for order in 0..8_u32 {
            // A server has no faults on purpose.
            if test.is_live() {
                return;
            }
            test.publish("order.created", &order).await.unwrap();
            test.advance(Duration::from_secs(2)).await;
        }
        test.heal().await;
        test.settled().await;
        let trace = test.trace().unwrap().lines();
        deleted += trace.iter().filter(|line| line.contains("delete-consumer")).count();
        stale.extend(trace.into_iter().filter(|line| line.contains("answer stale") && !line.ends_with(" ack")));
    }
    assert!(deleted > 5, "{deleted} deletions");
    assert!(stale.is_empty(), "{stale:#?}");
}
