use natspubsub::prelude::*;

#[topic_subscriber("order.created", dead_letter = "no")]
async fn on_order(_order: String) {}

fn main() {}
