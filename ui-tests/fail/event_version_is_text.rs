use natspubsub::prelude::*;

#[derive(Event)]
#[event(topic = "order.created", version = "1")]
struct OrderCreated;

fn main() {}
