use natspubsub::prelude::*;

#[topic_subscriber("order.created")]
fn on_order(_order: String) {}

fn main() {}
