use natspubsub::prelude::*;

#[derive(Event)]
#[event(topic = "order.created", id = "order-created")]
struct OrderCreated {
    order_id: String,
}

fn main() {}
