use natspubsub::prelude::*;

#[derive(Event)]
#[event(topic = "order.created", key = "id")]
struct OrderCreated {
    order_id: String,
}

fn main() {}
