use natspubsub::prelude::*;

#[derive(Event)]
#[event(topic = "order.*")]
struct OrderCreated;

fn main() {}
