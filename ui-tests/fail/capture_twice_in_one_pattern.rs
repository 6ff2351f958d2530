use natspubsub::prelude::*;

#[topic_subscriber("order.{id}.{id}")]
async fn on_order(_order: String, id: String) {
    let _ = id;
}

fn main() {}
