use natspubsub::prelude::*;

#[topic_subscriber("order.created", wait_for_stream = "60s")]
async fn on_order(_order: String) {}

fn main() {}
