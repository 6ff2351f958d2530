use natspubsub::prelude::*;

#[topic_subscriber("order.*", "order.created")]
async fn on_order(_order: String) {}

fn main() {}
