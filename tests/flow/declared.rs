//! Goal: what types declare holds at run time: topics and ids of events, policies of errors, tokens of subjects.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, unique};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(topic = "order.created", version = 3, key = "order_id", id = "order-created-{order_id}-{attempt}")]
struct OrderCreated {
    order_id: String,
    attempt: u32,
}

#[derive(Debug)]
struct Text(&'static str);

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

#[derive(Debug, HandlerError)]
enum StockError {
    Unmarked,
    #[transient]
    Busy,
    #[transient(after = "10ms, 20ms", jitter)]
    Throttled,
    #[validation]
    Bad(Text),
    #[permanent]
    UnknownSku {
        _sku: u32,
    },
    #[discard]
    Obsolete,
    #[infrastructure(pause = "10ms")]
    Offline,
}

impl std::fmt::Display for StockError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bad(text) => text.fmt(f),
            other => write!(f, "{other:?}"),
        }
    }
}

impl std::error::Error for StockError {}

type Log = Arc<Mutex<Vec<String>>>;

/// No literal: the topic is the payload's own.
#[topic_subscriber(max_attempts = 2, backoff = "10ms")]
async fn reserve(order: OrderCreated, State(log): State<Log>) -> Result<(), StockError> {
    let runs = {
        let mut log = log.lock().unwrap();
        log.push(order.order_id.clone());
        log.iter().filter(|id| **id == order.order_id).count()
    };
    match order.order_id.as_str() {
        "unmarked" => Err(StockError::Unmarked),
        "busy" => Err(StockError::Busy),
        "throttled" => Err(StockError::Throttled),
        "bad" => Err(StockError::Bad(Text("no total"))),
        "unknown" => Err(StockError::UnknownSku { _sku: 7 }),
        "obsolete" => Err(StockError::Obsolete),
        "offline" if runs < 4 => Err(StockError::Offline),
        _ => Ok(()),
    }
}

async fn policies(url: &str) {
    for (order_id, runs, processed, retried, dead_lettered, discarded) in [
        ("fine", 1, 1, 0, 0, 0),
        ("unmarked", 2, 0, 1, 1, 0),
        ("busy", 2, 0, 1, 1, 0),
        ("throttled", 2, 0, 1, 1, 0),
        ("bad", 1, 0, 0, 1, 0),
        ("unknown", 1, 0, 0, 1, 0),
        ("obsolete", 1, 0, 0, 0, 1),
        ("offline", 4, 1, 0, 0, 0),
    ] {
        let log = Log::default();
        let app = App::builder()
            .config(config(url, &unique("declared")))
            .state(log.clone())
            .subscriber(reserve {})
            .build()
            .unwrap();
        let running = app.start().await.unwrap();
        running.publisher().send(&OrderCreated { order_id: order_id.into(), attempt: 1 }).await.unwrap();
        let stats = running.wait_until(|stats| stats.settled() == 1, Duration::from_secs(20)).await.unwrap();
        running.shutdown().await;
        let counted = (log.lock().unwrap().len(), stats.processed, stats.retried, stats.dead_lettered, stats.discarded);
        assert_eq!(counted, (runs, processed, retried, dead_lettered, discarded), "{order_id} on {url}");
    }
}

#[tokio::test]
async fn every_policy_is_followed_in_memory_and_on_a_server() {
    policies(&format!("memory:{}", unique("declared"))).await;
    let server = NatsServer::start().await;
    policies(&server.url()).await;
}

#[tokio::test]
async fn an_event_id_from_the_template_is_stored_once() {
    let server = NatsServer::start().await;
    let publisher = Publisher::connect(config(&server.url(), "template")).await.unwrap();
    let order = |attempt| OrderCreated { order_id: "ORD-1".into(), attempt };
    assert_eq!(publisher.send(&order(1)).await.unwrap().event_id, "order-created-ORD-1-1");
    assert!(publisher.send(&order(1)).await.unwrap().duplicate);
    assert!(!publisher.send(&order(2)).await.unwrap().duplicate);
    let stored = Inspector::connect(&server.url()).await.messages("test-template-stream").await;
    let envelope: serde_json::Value = serde_json::from_slice(&stored[0].payload).unwrap();
    assert_eq!(envelope["schema_version"], 3);
}

#[topic_subscriber("user.{id}.renamed", "eu.{id}.moved.>")]
async fn follows(_: Raw, id: u32, State(log): State<Log>, ctx: Context) {
    log.lock().unwrap().push(format!("{id} {}", ctx.topic()));
}

#[tokio::test]
async fn tokens_of_the_topic_are_arguments() {
    let log = Log::default();
    let app = App::builder()
        .config(config(&format!("memory:{}", unique("tokens")), "tokens"))
        .state(log.clone())
        .subscriber(follows {});
    let running = app.build().unwrap().start().await.unwrap();
    for topic in ["user.7.renamed", "eu.8.moved.a.b", "user.nobody.renamed"] {
        running.publisher().publish(topic, &1).await.unwrap();
    }
    let stats = running.wait_until(|stats| stats.settled() == 3, Duration::from_secs(20)).await.unwrap();
    running.shutdown().await;
    assert_eq!((stats.processed, stats.dead_lettered), (2, 1), "a token that does not parse is a validation failure");
    let mut log = log.lock().unwrap().clone();
    log.sort();
    assert_eq!(log, ["7 user.7.renamed", "8 eu.8.moved.a.b"]);
}
