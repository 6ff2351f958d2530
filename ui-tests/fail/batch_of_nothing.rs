use natspubsub::prelude::*;

#[batch_subscriber("order.created", max = 0)]
async fn on_orders(_orders: Batch<String>) {}

fn main() {}
