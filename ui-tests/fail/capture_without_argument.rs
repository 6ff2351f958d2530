use natspubsub::prelude::*;

#[topic_subscriber("order.{id}.created")]
async fn on_order(_order: String, _ctx: Context) {}

fn main() {}
