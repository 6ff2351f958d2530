//! Goal: a handler that panics fails its own message, in a test as in production. Method: one order that panics, among
//! others.

use natspubsub::prelude::*;
use natspubsub::testing::End;

use crate::{orders, start};

#[topic_subscriber("order.created", max_attempts = 2, backoff = "1s")]
async fn reserve(order: u32) {
    assert_ne!(order, 2, "two is unlucky");
}

#[tokio::test]
async fn a_panic_costs_its_own_message_only() {
    let test = start(orders().subscriber(reserve {})).await;
    let mut ids = Vec::new();
    for order in 1..=3 {
        ids.push(test.publish("order.created", &order).await.unwrap().event_id);
    }
    test.settled().await;
    test.assert_handled("reserve", 2);
    test.assert_attempts(&ids[1], 2);
    assert_eq!(test.attempts(&ids[1])[1].end, End::Panicked);
    test.assert_dead_lettered(&ids[1], "panic");
    assert!(test.dead_letters()[0].error().contains("two is unlucky"));
    test.assert_healthy().await;
}
