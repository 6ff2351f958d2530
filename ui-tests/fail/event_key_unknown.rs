use natspubsub::prelude::*;

#[derive(Event)]
#[event(topics = "order.created")]
struct OrderCreated;

fn main() {}
