use natspubsub::prelude::*;

#[topic_subscriber("order.{order_id}.created")]
async fn on_order(_order: String, ordr_id: u32) {
    let _ = ordr_id;
}

fn main() {}
