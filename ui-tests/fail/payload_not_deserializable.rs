use natspubsub::prelude::*;

struct Order;

#[topic_subscriber("order.created")]
async fn on_order(_order: Order) {}

fn main() {}
