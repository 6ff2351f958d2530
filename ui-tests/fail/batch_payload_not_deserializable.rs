use natspubsub::prelude::*;

struct Order;

#[batch_subscriber("order.created")]
async fn on_orders(_orders: Batch<Order>) {}

fn main() {}
