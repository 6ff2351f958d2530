//! Goal: two tests at once do not see each other. Method: two applications of one name, side by side.

use natspubsub::prelude::*;

use crate::{orders, start};

#[topic_subscriber("order.created", publishes = "stock.reserved")]
async fn reserve(order: u32) -> u32 {
    order
}

#[tokio::test]
async fn two_tests_at_once_do_not_see_each_other() {
    let (first, second) = tokio::join!(start(orders().subscriber(reserve {})), start(orders().subscriber(reserve {})));
    first.publish("order.created", &1).await.unwrap();
    second.publish("order.created", &2).await.unwrap();
    second.publish("order.created", &3).await.unwrap();
    tokio::join!(first.settled(), second.settled());
    first.assert_published("stock.reserved", &[1]);
    first.assert_handled("reserve", 1);
    second.assert_published("stock.reserved", &[2, 3]);
    second.assert_handled("reserve", 2);
    first.crash().await;
    second.assert_healthy().await;
}
