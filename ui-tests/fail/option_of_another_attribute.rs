use natspubsub::prelude::*;

#[topic_subscriber("order.created", retention = "limits")]
async fn on_order(_order: String) {}

fn main() {}
