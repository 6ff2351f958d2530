use natspubsub::prelude::*;

#[topic_subscriber("order.created", ordered_by = order_id)]
async fn on_order(_order: String) {}

fn main() {}
