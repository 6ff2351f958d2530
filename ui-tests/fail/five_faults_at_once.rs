use natspubsub::prelude::*;

#[topic_subscriber("order..created", concurrency = 0, timeout = "soon", colour = "red")]
fn on_order(_order: String) {}

fn main() {}
