use natspubsub::prelude::*;

#[topic_subscriber("order.created")]
async fn on_order(_order: String) -> u32 {
    7
}

fn main() {}
