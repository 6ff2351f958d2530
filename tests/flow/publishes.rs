//! Goal: what a handler returns is published before its message is acknowledged, and once, though the handler runs
//! twice. Method: a middleware that asks for another attempt after the first one has published everything.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, unique};
use serde::{Deserialize, Serialize};

const LIMIT: Duration = Duration::from_secs(20);

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(topic = "line.counted")]
struct Line {
    number: u32,
}

/// Throws away the outcome of every first attempt.
struct Again;

impl Middleware for Again {
    async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
        let first = delivery.context().attempt() == 1 && delivery.context().topic() == "order.created";
        let outcome = next.run(delivery).await;
        if first { Outcome::Retry { after: Some(Duration::from_millis(20)) } } else { outcome }
    }
}

#[topic_subscriber("order.created", publishes = "line.counted")]
async fn count(lines: u32) -> Result<Vec<Line>, std::io::Error> {
    Ok((0..lines).map(|number| Line { number }).collect())
}

type Seen = Arc<Mutex<Vec<(u32, Option<String>)>>>;

#[topic_subscriber]
async fn on_line(line: Line, metadata: Metadata, State(seen): State<Seen>) {
    seen.lock().unwrap().push((line.number, metadata.causation_id));
}

async fn what_is_returned_is_published_once(url: &str) {
    let seen = Seen::default();
    let app = App::builder().config(config(url, "lines")).state(seen.clone()).middleware(1, Again);
    let running = app.subscriber(count {}).subscriber(on_line {}).build().unwrap().start().await.unwrap();
    let order = running.publisher().publish("order.created", &3_u32).await.unwrap();
    let stats = running.wait_until(|stats| stats.processed == 4, LIMIT).await.unwrap();
    assert_eq!((stats.retried, stats.received), (1, 5), "the handler ran twice: {stats:?}");
    running.shutdown().await;
    let mut seen = seen.lock().unwrap().clone();
    seen.sort();
    let cause = Some(order.event_id);
    assert_eq!(seen, [(0, cause.clone()), (1, cause.clone()), (2, cause)], "each once, caused by the order");
}

#[tokio::test]
async fn on_memory_what_is_returned_is_published_once() {
    what_is_returned_is_published_once(&format!("memory:{}", unique("lines"))).await;
}

#[tokio::test]
async fn on_nats_what_is_returned_is_published_once() {
    let server = NatsServer::start().await;
    what_is_returned_is_published_once(&server.url()).await;
    let inspector = Inspector::connect(&server.url()).await;
    assert_eq!(inspector.messages("test-lines-stream").await.len(), 4);
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(topic = "sum.counted", id = "sum-{order}")]
struct Sum {
    order: u32,
    sum: u32,
}

#[topic_subscriber("sum.asked", publishes = "sum.counted")]
async fn sums(order: u32) -> Vec<Sum> {
    vec![Sum { order, sum: 1 }, Sum { order, sum: 2 }]
}

/// The stream would drop the second as a duplicate of the first.
#[tokio::test]
async fn two_messages_of_one_id_are_a_fault_and_no_loss() {
    let url = format!("memory:{}", unique("sums"));
    let running = App::builder().config(config(&url, "sums")).subscriber(sums {}).build().unwrap();
    let running = running.start().await.unwrap();
    running.publisher().publish("sum.asked", &7_u32).await.unwrap();
    let stats = running.wait_until(|stats| stats.dead_lettered == 1, LIMIT).await.unwrap();
    assert_eq!(stats.processed, 0, "{stats:?}");
    running.shutdown().await;
}
