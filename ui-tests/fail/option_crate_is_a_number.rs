use natspubsub::prelude::*;

#[topic_subscriber("order.created", crate = 7)]
async fn on_order(_order: String) {}

fn main() {}
