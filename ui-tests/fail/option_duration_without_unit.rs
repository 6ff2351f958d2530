use natspubsub::prelude::*;

#[topic_subscriber("order.created", timeout = "30")]
async fn on_order(_order: String) {}

fn main() {}
