use natspubsub::prelude::*;

#[batch_subscriber("order.created")]
async fn on_orders(orders: Batch<serde_json::Value>, tx: &mut Tx<Sqlite>) {
    let _ = (orders, tx);
}

fn main() {}
