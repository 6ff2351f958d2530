use natspubsub::prelude::*;

#[topic_subscriber("order.created")]
async fn on_order(_ctx: Context, _order: String) {}

fn main() {}
