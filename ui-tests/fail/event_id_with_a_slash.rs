use natspubsub::prelude::*;

#[derive(Event)]
#[event(topic = "order.created", id = "order/{id}")]
struct OrderCreated {
    id: u32,
}

fn main() {}
