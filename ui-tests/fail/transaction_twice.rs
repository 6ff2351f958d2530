use natspubsub::prelude::*;

#[topic_subscriber("order.created")]
async fn on_order(order: serde_json::Value, orders: &mut Tx<Sqlite>, stock: &mut Tx<Sqlite>) {
    let _ = (order, orders, stock);
}

fn main() {}
