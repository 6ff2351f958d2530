use natspubsub::prelude::*;

#[topic_subscriber("order.created", backoff = "2s, 1s")]
async fn on_order(_order: String) {}

fn main() {}
