use natspubsub::prelude::*;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(topic = "order.created")]
struct OrderCreated {
    order_id: String,
}

#[batch_subscriber("user.*")]
async fn on_orders(_orders: Batch<OrderCreated>) {}

fn main() {}
