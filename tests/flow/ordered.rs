//! Goal: messages of one key never run in parallel nor out of order, a failing key does not hold up the others, and
//! nothing is lost. Method: handlers that fail now and then, and a list of what ran in which order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{NatsServer, config, unique};
use serde::{Deserialize, Serialize};

const LIMIT: Duration = Duration::from_secs(60);

#[derive(Serialize, Deserialize)]
struct Step {
    account: Account,
    number: u32,
}

#[derive(Serialize, Deserialize)]
struct Account {
    id: u32,
}

#[derive(Default)]
struct Ledger {
    running: HashMap<u32, u32>,
    done: HashMap<u32, Vec<u32>>,
    violations: Vec<String>,
}

type Shared = Arc<Mutex<Ledger>>;

#[topic_subscriber(
    "step.made",
    ordered_by = "account.id",
    concurrency = 8,
    backoff = "5ms, 20ms",
    max_attempts = 4,
    ack_wait = "3s"
)]
async fn steps(step: Step, ctx: Context, State(ledger): State<Shared>) -> Result<(), std::io::Error> {
    let key = step.account.id;
    {
        let mut ledger = ledger.lock().unwrap();
        let running = ledger.running.entry(key).or_default();
        *running += 1;
        if *running > 1 {
            ledger.violations.push(format!("two of {key} at once"));
        }
    }
    tokio::time::sleep(Duration::from_millis(u64::from((step.number * 7 + key) % 5))).await;
    let mut ledger = ledger.lock().unwrap();
    *ledger.running.entry(key).or_default() -= 1;
    // Every seventh fails on its first attempt, and one never succeeds.
    if (step.number % 7 == 3 && ctx.attempt() == 1) || (key == 2 && step.number == 5) {
        return Err(std::io::Error::other("not now"));
    }
    ledger.done.entry(key).or_default().push(step.number);
    Ok(())
}

async fn keys_keep_their_order(url: &str) {
    let ledger = Shared::default();
    let app = App::builder().config(config(url, "steps")).state(ledger.clone()).subscriber(steps {});
    let running = app.build().unwrap().start().await.unwrap();
    for number in 0..40 {
        for id in 0..6 {
            running.publisher().publish("step.made", &Step { account: Account { id }, number }).await.unwrap();
        }
    }
    let stats = running.wait_until(|stats| stats.settled() == 240, LIMIT).await.unwrap();
    assert_eq!((stats.processed, stats.dead_lettered), (239, 1), "{stats:?}");
    assert_eq!(stats.received, 240, "a parked message is not given back");
    assert!(stats.retried >= 6 * 6, "the failures happened: {stats:?}");
    assert!(running.shutdown().await.is_clean());

    let ledger = ledger.lock().unwrap();
    assert!(ledger.violations.is_empty(), "{:?}", ledger.violations);
    for (key, done) in &ledger.done {
        let wanted: Vec<u32> = (0..40).filter(|number| !(*key == 2 && *number == 5)).collect();
        assert_eq!(done, &wanted, "key {key}");
    }
}

#[tokio::test]
async fn on_memory_keys_keep_their_order() {
    keys_keep_their_order(&format!("memory:{}", unique("steps"))).await;
}

#[tokio::test]
async fn on_nats_keys_keep_their_order() {
    let server = NatsServer::start().await;
    keys_keep_their_order(&server.url()).await;
}

type Order = Arc<Mutex<Vec<u32>>>;

#[topic_subscriber("pair.given", ordered_by = "key", concurrency = 2, backoff = "2s", jitter = false)]
async fn pairs(pair: serde_json::Value, ctx: Context, State(order): State<Order>) -> Result<(), std::io::Error> {
    if (pair["key"] == "a" || pair["key"] == "z") && ctx.attempt() == 1 {
        return Err(std::io::Error::other("not now"));
    }
    order.lock().unwrap().push(u32::try_from(pair["number"].as_u64().unwrap()).unwrap());
    Ok(())
}

#[tokio::test]
async fn parked_keys_take_no_places_of_the_others() {
    let order = Order::default();
    let url = format!("memory:{}", unique("pairs"));
    let app = App::builder().config(config(&url, "pairs")).state(order.clone()).subscriber(pairs {});
    let running = app.build().unwrap().start().await.unwrap();
    for (key, number) in [("a", 0), ("z", 9), ("a", 1), ("b", 2), ("b", 3), ("c", 4)] {
        let pair = serde_json::json!({ "key": key, "number": number });
        running.publisher().publish("pair.given", &pair).await.unwrap();
    }
    running.wait_until(|stats| stats.processed == 6, LIMIT).await.unwrap();
    let order = order.lock().unwrap().clone();
    assert_eq!(order[..3], [2, 3, 4], "b and c go on while a and z wait two seconds: {order:?}");
    let place = |number: u32| order.iter().position(|other| *other == number);
    assert!(place(0) < place(1), "{order:?}");
    running.shutdown().await;
}

#[topic_subscriber("pair.kept", ordered_by = "key", concurrency = 2, backoff = "60s", max_backoff = "60s")]
async fn keeps(pair: serde_json::Value, ctx: Context, State(order): State<Order>) -> Result<(), std::io::Error> {
    if pair["number"] == 0 && ctx.deliveries() == 1 {
        return Err(std::io::Error::other("not now"));
    }
    order.lock().unwrap().push(u32::try_from(pair["number"].as_u64().unwrap()).unwrap());
    Ok(())
}

#[tokio::test]
async fn a_shutdown_gives_back_a_parked_key_with_everything_behind_it() {
    let order = Order::default();
    let url = format!("memory:{}", unique("pairs"));
    let start = || {
        let app = App::builder().config(config(&url, "pairs")).state(order.clone()).subscriber(keeps {});
        app.build().unwrap().start()
    };
    let keeps_the_broker = Publisher::connect(config(&url, "pairs")).await.unwrap();
    let first = start().await.unwrap();
    for number in 0..4 {
        let pair = serde_json::json!({ "key": "a", "number": number });
        keeps_the_broker.publish("pair.kept", &pair).await.unwrap();
    }
    first.wait_until(|stats| stats.received == 4, LIMIT).await.unwrap();
    let started = std::time::Instant::now();
    let report = first.shutdown().await;
    assert!(started.elapsed() < Duration::from_secs(10), "it does not wait for the backoff: {:?}", started.elapsed());
    assert_eq!((report.released, report.processed), (4, 0), "{report:?}");
    let second = start().await.unwrap();
    second.wait_until(|stats| stats.processed == 4, LIMIT).await.unwrap();
    second.shutdown().await;
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3]);
}
