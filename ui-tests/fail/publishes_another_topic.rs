use natspubsub::prelude::*;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(topic = "order.created")]
struct OrderCreated {
    order_id: String,
}

#[topic_subscriber("order.requested", publishes = "order.confirmed")]
async fn on_order(_order: String) -> Result<Option<OrderCreated>, std::io::Error> {
    Ok(None)
}

fn main() {}
