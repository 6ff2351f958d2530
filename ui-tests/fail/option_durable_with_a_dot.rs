use natspubsub::prelude::*;

#[topic_subscriber("order.created", durable = "billing.orders")]
async fn on_order(_order: String) {}

fn main() {}
