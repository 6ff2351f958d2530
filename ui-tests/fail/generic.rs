use natspubsub::prelude::*;

#[topic_subscriber("order.created")]
async fn on_order<T: serde::de::DeserializeOwned>(_order: T) {}

fn main() {}
