use natspubsub::prelude::*;

#[topic_subscriber("order.created", durable = "orders", ephemeral)]
async fn on_order(_order: String) {}

fn main() {}
