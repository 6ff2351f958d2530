use natspubsub::prelude::*;

#[topic_subscriber("order.created")]
async fn on_order(_order: String, #[cfg(any())] _ctx: Context) {}

fn main() {}
