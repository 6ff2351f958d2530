use natspubsub::prelude::*;

#[topic_subscriber("order.created")]
async fn on_order(_order: impl Send) {}

fn main() {}
