use natspubsub::prelude::*;

#[topic_subscriber("order.created", ack_wait = 30)]
async fn on_order(_order: String) {}

fn main() {}
