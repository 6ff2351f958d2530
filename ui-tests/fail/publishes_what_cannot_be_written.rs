use natspubsub::prelude::*;

struct Confirmed;

#[topic_subscriber("order.created", publishes = "order.confirmed")]
async fn on_order(_order: String) -> Confirmed {
    Confirmed
}

fn main() {}
