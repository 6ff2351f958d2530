use natspubsub::prelude::*;

#[topic_subscriber("order.created", durable = "orders-worker")]
async fn reserve(_order: String) {}

#[topic_subscriber("order.cancelled", durable = "orders-worker")]
async fn release(_order: String) {}

fn main() {}
