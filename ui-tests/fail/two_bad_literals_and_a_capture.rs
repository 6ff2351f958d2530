use natspubsub::prelude::*;

#[topic_subscriber("order..created", "user.{id}")]
async fn on_order(_order: String) {}

fn main() {}
