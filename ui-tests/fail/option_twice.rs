use natspubsub::prelude::*;

#[topic_subscriber("order.created", max_attempts = 4, max_deliver = 5)]
async fn on_order(_order: String) {}

fn main() {}
