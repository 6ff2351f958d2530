#![deny(warnings)]
//! Every shape of a returned value is published.

use std::time::Duration;

use natspubsub::prelude::*;

#[derive(Debug, serde::Serialize, serde::Deserialize, Event)]
#[event(topic = "done", id = "done-{n}")]
struct Done {
    n: u32,
}

#[derive(Debug, HandlerError)]
#[discard]
struct Odd;

impl std::fmt::Display for Odd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("odd")
    }
}

impl std::error::Error for Odd {}

#[topic_subscriber("one", publishes = "done")]
async fn one(n: u32) -> Done {
    Done { n }
}

#[topic_subscriber("maybe", publishes = "done")]
async fn maybe(n: u32) -> Option<Done> {
    (n % 2 == 0).then_some(Done { n: 10 + n })
}

#[topic_subscriber("many", publishes = "done")]
async fn many(n: u32) -> Vec<Done> {
    (0..n).map(|n| Done { n: 20 + n }).collect()
}

#[topic_subscriber("tried", publishes = "done")]
async fn tried(n: u32) -> Result<Done, Odd> {
    if n % 2 == 1 { Err(Odd) } else { Ok(Done { n: 30 + n }) }
}

#[topic_subscriber("untyped", publishes = "done")]
async fn untyped(n: u32) -> Result<Option<serde_json::Value>, Box<dyn std::error::Error + Send + Sync>> {
    Ok(Some(serde_json::json!({ "n": 40 + n })))
}

#[topic_subscriber("done")]
async fn on_done(done: Done, State(seen): State<std::sync::Arc<std::sync::Mutex<Vec<u32>>>>) {
    seen.lock().unwrap().push(done.n);
}

#[tokio::main]
async fn main() -> Result<()> {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::<u32>::new()));
    let config = Config::builder().url("memory:published").app("orders").build()?;
    let running = App::builder().config(config).state(seen.clone()).build()?.start().await?;
    let publisher = running.publisher();
    for (topic, n) in [("one", 1), ("maybe", 1), ("maybe", 2), ("many", 2), ("tried", 1), ("tried", 2), ("untyped", 1)]
    {
        publisher.publish(topic, &n).await?;
    }
    // 7 messages of which one is discarded, and 6 that were published by them.
    running.wait_until(|stats| stats.settled() == 13, Duration::from_secs(10)).await?;
    running.shutdown().await;
    let mut seen = seen.lock().unwrap().clone();
    seen.sort_unstable();
    assert_eq!(seen, [1, 12, 20, 21, 32, 41]);
    Ok(())
}
