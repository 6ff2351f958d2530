use natspubsub::prelude::*;

#[topic_subscriber("order.created", deliver = from_time("2026-02-30"))]
async fn on_order(_order: String) {}

fn main() {}
