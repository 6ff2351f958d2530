use natspubsub::prelude::*;

#[topic_subscriber("order.created", publishes = "order.paid")]
async fn on_order(order: serde_json::Value, tx: &mut Tx<Sqlite>) -> serde_json::Value {
    let _ = tx;
    order
}

fn main() {}
