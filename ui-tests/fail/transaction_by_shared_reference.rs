use natspubsub::prelude::*;

#[topic_subscriber("order.created")]
async fn on_order(order: serde_json::Value, tx: &Tx<Sqlite>) {
    let _ = (order, tx);
}

fn main() {}
