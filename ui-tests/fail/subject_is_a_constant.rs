use natspubsub::prelude::*;

const TOPIC: &str = "order.created";

#[topic_subscriber(TOPIC)]
async fn on_order(_order: String) {}

fn main() {}
