use natspubsub::prelude::*;

#[topic_subscriber("order.created", app = "*", stream = "ORDERS")]
async fn on_order(_order: String) {}

fn main() {}
