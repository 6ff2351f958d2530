use natspubsub::prelude::*;

#[batch_subscriber("order.created")]
async fn on_orders(_order: String) {}

fn main() {}
