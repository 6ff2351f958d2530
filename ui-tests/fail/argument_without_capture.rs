use natspubsub::prelude::*;

#[topic_subscriber("order.{id}.created")]
async fn on_order(_order: String, id: u64, region: String) {
    let _ = (id, region);
}

fn main() {}
