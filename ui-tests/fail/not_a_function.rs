use natspubsub::prelude::*;

#[topic_subscriber("order.created")]
struct OnOrder;

fn main() {}
