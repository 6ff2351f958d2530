use natspubsub::prelude::*;

#[derive(Event)]
#[event(topic = "order created")]
struct OrderCreated;

fn main() {}
