use natspubsub::prelude::*;

#[topic_subscriber("order.{id}", "user.*")]
async fn on_order(_order: String, id: String) {
    let _ = id;
}

fn main() {}
