use natspubsub::prelude::*;

#[topic_subscriber("order.created")]
async fn on_order(order: serde_json::Value, pool: &mut State<String>) {
    let _ = (order, pool);
}

fn main() {}
