use natspubsub::prelude::*;

#[topic_subscriber("Order.Created")]
async fn on_order(_order: String) {}

fn main() {}
