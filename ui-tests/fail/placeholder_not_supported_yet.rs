use natspubsub::prelude::*;

#[topic_subscriber("order.${pod_id}")]
async fn on_order(_order: String) {}

fn main() {}
