#![forbid(unsafe_code)]
#![deny(warnings)]
//! Topics from the payload, patterns that deliver it, tokens as arguments.

use natspubsub::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(topic = "order.created", version = 2, key = "order_id", id = "order-created-{order_id}")]
struct OrderCreated {
    order_id: String,
}

#[topic_subscriber]
async fn by_type(order: OrderCreated) {
    let _ = order.order_id;
}

#[topic_subscriber("order.*", "user.created")]
async fn by_pattern(order: OrderCreated) {
    let _ = order;
}

#[topic_subscriber("{kind}.created.{rest..}", concurrency = 2, backoff = exponential("100ms", max = "30s"))]
async fn by_token(Raw(body): Raw, rest: String, ctx: Context, kind: String) {
    let _ = (body, rest, ctx, kind);
}

fn main() {
    let config = Config::builder().url("memory:").app("orders").build().unwrap();
    App::builder().config(config).build().unwrap();
}
