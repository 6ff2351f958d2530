use natspubsub::prelude::*;

#[topic_subscriber("order.created", backoff = exponential("100ms", max = "30s"), max_backoff = "1m")]
async fn on_order(_order: String) {}

fn main() {}
