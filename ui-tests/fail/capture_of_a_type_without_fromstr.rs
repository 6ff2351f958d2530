use natspubsub::prelude::*;

struct Id;

#[topic_subscriber("order.{id}")]
async fn on_order(_order: String, id: Id) {
    let _ = id;
}

fn main() {}
