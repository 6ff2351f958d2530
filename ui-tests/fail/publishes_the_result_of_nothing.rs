use natspubsub::prelude::*;

#[topic_subscriber("order.created", publishes = "order.confirmed")]
async fn on_order(_order: String) -> Result {
    Ok(())
}

fn main() {}
