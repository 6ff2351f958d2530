use natspubsub::prelude::*;

#[topic_subscriber("order.created", rate_limit = "100")]
async fn on_order(_order: String) {}

fn main() {}
