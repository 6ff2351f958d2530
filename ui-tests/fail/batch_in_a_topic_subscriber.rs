use natspubsub::prelude::*;

#[topic_subscriber("order.created")]
async fn on_orders(_orders: Batch<String>) {}

fn main() {}
