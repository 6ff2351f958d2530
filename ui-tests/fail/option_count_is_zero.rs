use natspubsub::prelude::*;

#[topic_subscriber("order.created", concurrency = 0)]
async fn on_order(_order: String) {}

fn main() {}
