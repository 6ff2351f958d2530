use natspubsub::prelude::*;

#[topic_subscriber("order.created", circuit_breaker(failures = 5, closed = "60s"))]
async fn on_order(_order: String) {}

fn main() {}
