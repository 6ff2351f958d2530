//! Five orders: three are fine, one fails once and succeeds on its second attempt, one is invalid and becomes a dead
//! letter.
//!
//! `cargo run --example quickstart` needs nothing: it uses the broker inside this process. With
//! `NATS_URL=nats://127.0.0.1:4222` the same program runs against a server.

#![expect(clippy::print_stdout, reason = "the program talks to the person who runs it")]

use std::time::Duration;

use natspubsub::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(topic = "order.created")]
struct OrderCreated {
    order_id: String,
    total: f64,
}

#[topic_subscriber("order.created", concurrency = 4, max_attempts = 3, backoff = "200ms, 1s")]
async fn reserve_stock(order: OrderCreated, ctx: Context) -> Result<(), Failure> {
    if order.total <= 0.0 {
        return Err(Failure::validation(format!("order {} has no total", order.order_id)));
    }
    if order.order_id == "ORD-3" && ctx.attempt() == 1 {
        return Err(Failure::transient("the warehouse is busy"));
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let colour = std::io::IsTerminal::is_terminal(&std::io::stdout());
    tracing_subscriber::fmt().with_target(false).with_ansi(colour).with_env_filter("info").init();
    let url = std::env::var("NATS_URL").unwrap_or_else(|_| "memory:".into());
    let config = Config::builder().url(url).app("quickstart").build()?;
    let running = App::builder().config(config).build()?.start().await?;
    print!("{}", running.report());

    let totals = [10.0, 20.0, 30.0, 0.0, 50.0];
    for (number, total) in (1..).zip(totals) {
        running.publisher().send(&OrderCreated { order_id: format!("ORD-{number}"), total }).await?;
    }
    let published = totals.len() as u64;
    running.wait_until(|stats| stats.settled() >= published, Duration::from_secs(30)).await?;

    println!("{}", running.shutdown().await);
    Ok(())
}

#[cfg(test)]
mod tests {
    use natspubsub::testing::{self, TestApp};

    use super::*;

    fn order(number: u32, total: f64) -> OrderCreated {
        OrderCreated { order_id: format!("ORD-{number}"), total }
    }

    #[tokio::test]
    async fn an_order_without_a_total_is_invalid() {
        let failure = reserve_stock(order(4, 0.0), testing::context().build()).await.unwrap_err();
        assert_eq!(failure.to_string(), "order ORD-4 has no total");
    }

    #[tokio::test]
    async fn one_order_is_tried_twice_and_one_is_given_up() {
        let config = Config::builder().app("quickstart").build().unwrap();
        let test = TestApp::start(App::builder().config(config).build().unwrap()).await.unwrap();
        let busy = test.send(&order(3, 30.0)).await.unwrap();
        let invalid = test.send(&order(4, 0.0)).await.unwrap();
        test.settled().await;
        test.assert_handled("reserve_stock", 1);
        test.assert_attempts(&busy.event_id, 2);
        test.assert_dead_lettered(&invalid.event_id, "validation");
    }
}
