#![deny(warnings)]
//! A handler is called as the plain function that it is, with its own return type.

use natspubsub::prelude::*;

#[topic_subscriber("order.created")]
pub(crate) async fn total(order: Vec<u32>) -> Result<(), std::num::TryFromIntError> {
    let sum: u32 = order.iter().sum();
    u8::try_from(sum).map(drop)
}

#[topic_subscriber("order.created", durable = "again", publishes = "order.total")]
async fn publishes(order: Vec<u32>) -> u32 {
    order.iter().sum()
}

#[batch_subscriber("order.created", durable = "batch")]
async fn batch(orders: Batch<Vec<u32>>) {
    let _: usize = orders.len();
}

#[health_check("sum")]
async fn sum() -> Result<(), std::fmt::Error> {
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert!(total(vec![1, 2]).await.is_ok());
    assert!(total(vec![255, 1]).await.is_err());
    assert_eq!(publishes(vec![1, 2]).await, 3);
    assert!(sum().await.is_ok());
    let _ = batch;
}
