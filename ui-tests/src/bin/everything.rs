#![forbid(unsafe_code)]
#![deny(warnings)]
//! One of each.

use natspubsub::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(topic = "order.created")]
struct OrderCreated {
    order_id: String,
}

#[derive(Clone)]
struct Db;

/// Documented.
#[topic_subscriber(
    "order.created",
    "order.changed.*",
    durable = "orders-reserve",
    concurrency = 4,
    prefetch = 0,
    ack_wait = "30s",
    max_attempts = 5,
    backoff = "1s, 2s, 5s",
    max_backoff = "1m",
    jitter = false,
    timeout = "none",
    dead_letter = true
)]
pub(crate) async fn reserve(
    order: OrderCreated,
    ctx: Context,
    State(db): State<Db>,
    publisher: Publisher,
    headers: Headers,
    metadata: Metadata,
) -> Result<Outcome, Box<dyn std::error::Error + Send + Sync>> {
    let _ = (order, ctx.event_id(), db, publisher, headers, metadata);
    Ok(Outcome::Ack)
}

fn main() {
    let config = Config::builder().url("memory:").app("orders").build().unwrap();
    App::builder().config(config).state(Db).subscriber(reserve {}).build().unwrap();
}
