use natspubsub::prelude::*;

#[batch_subscriber("order.created")]
async fn on_orders(_orders: Batch<String>, _ctx: Context) {}

fn main() {}
