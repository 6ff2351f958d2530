use natspubsub::prelude::*;

#[derive(Event)]
struct OrderCreated;

fn main() {}
