use natspubsub::prelude::*;

#[topic_subscriber("order.{id")]
async fn on_order(_order: String) {}

fn main() {}
