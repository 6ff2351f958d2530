use natspubsub::prelude::*;

#[topic_subscriber("order.created", backoff = exponential("100ms", 30))]
async fn on_order(_order: String) {}

fn main() {}
