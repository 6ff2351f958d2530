use natspubsub::prelude::*;

#[topic_subscriber("order.created", app = "Payments")]
async fn on_order(_order: String) {}

fn main() {}
