use natspubsub::prelude::*;

#[topic_subscriber("order.created", deliver = "first")]
async fn on_order(_order: String) {}

fn main() {}
