use natspubsub::prelude::*;

#[derive(serde::Deserialize, Event)]
#[event(topic = "order.created")]
struct OrderCreated {}

#[topic_subscriber("order.changed", "user.>")]
async fn on_order(_order: OrderCreated) {}

fn main() {}
