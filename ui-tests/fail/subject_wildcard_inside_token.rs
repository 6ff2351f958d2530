use natspubsub::prelude::*;

#[topic_subscriber("order.crea*")]
async fn on_order(_order: String) {}

fn main() {}
