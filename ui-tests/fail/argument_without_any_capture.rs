use natspubsub::prelude::*;

#[topic_subscriber("order.created")]
async fn on_order(_order: String, id: u64) {
    let _ = id;
}

fn main() {}
