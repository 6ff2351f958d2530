use natspubsub::prelude::*;

#[topic_subscriber("order.created", publishes = "order.*")]
async fn on_order(order: String) -> String {
    order
}

fn main() {}
