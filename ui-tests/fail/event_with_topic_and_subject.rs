use natspubsub::prelude::*;

#[derive(Event)]
#[event(topic = "order.created", subject = "orders.created")]
struct OrderCreated;

fn main() {}
