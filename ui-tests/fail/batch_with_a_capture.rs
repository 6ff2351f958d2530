use natspubsub::prelude::*;

#[batch_subscriber("order.{id}")]
async fn on_orders(_orders: Batch<String>, id: u64) {
    let _ = id;
}

fn main() {}
