use natspubsub::prelude::*;

#[topic_subscriber("order.created", concurency = 4)]
async fn on_order(_order: String) {}

fn main() {}
