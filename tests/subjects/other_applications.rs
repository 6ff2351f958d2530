//! Goal: an application reads the topics of others with durables, dead letters and records of its own, of one that it names
//! or of every one, also of those that come later. Method: two and three applications on one broker, in memory and on a
//! real server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::{AppBuilder, HealthStatus, RunningApp};
use natspubsub_tests::{Inspector, NatsServer, config, eventually, keep_logs, kept_logs, unique};

const LIMIT: Duration = Duration::from_secs(20);

/// Every 30 seconds it is looked for applications that have appeared.
const NEWCOMER_LIMIT: Duration = Duration::from_secs(50);

type Log = Arc<Mutex<Vec<String>>>;

fn sorted(log: &Log) -> Vec<String> {
    let mut log = log.lock().unwrap().clone();
    log.sort();
    log
}

#[topic_subscriber("invoice.{id}.paid", app = "payments", max_attempts = 2, backoff = "20ms")]
async fn on_paid(cents: u32, id: String, ctx: Context, State(log): State<Log>) -> Result<(), Failure> {
    log.lock().unwrap().push(format!("{id} {cents} {} {}", ctx.topic(), ctx.stream()));
    if cents == 0 { Err(Failure::transient("nothing was paid")) } else { Ok(()) }
}

#[topic_subscriber("invoice.*.paid", app = "payments", durable = "waits", wait_for_stream = "20s")]
async fn waits(_cents: u32) {}

#[topic_subscriber("*.created", app = "*", max_attempts = 2, backoff = "20ms")]
async fn audit(what: u32, ctx: Context, State(log): State<Log>) -> Result<(), Failure> {
    log.lock().unwrap().push(format!("{what} {} {}", ctx.topic(), ctx.stream()));
    if what == 13 { Err(Failure::permanent("unlucky")) } else { Ok(()) }
}

fn app(url: &str, name: &str) -> AppBuilder {
    App::builder().config(config(url, name))
}

/// An application that only publishes; a built one would make the streams that are linked into this program.
async fn publisher(url: &str, name: &str) -> Publisher {
    Publisher::connect(config(url, name)).await.unwrap()
}

async fn start(builder: AppBuilder) -> RunningApp {
    builder.build().unwrap().start().await.unwrap()
}

async fn the_topics_of_another_application(url: &str) {
    let log = Log::default();
    let missing = app(url, "orders").state(log.clone()).subscriber(on_paid {}).build().unwrap().start().await;
    let missing = missing.unwrap_err().to_string();
    assert!(
        missing.contains("on_paid: there is no stream \"test-payments-stream\"; start the application"),
        "{missing}"
    );

    let payments = publisher(url, "payments").await;
    let orders = start(app(url, "orders").state(log.clone()).subscriber(on_paid {})).await;
    assert!(orders.report().contains("invoice.{id}.paid on test-payments-stream -> on_paid"), "{}", orders.report());
    for (id, cents) in [("a", 7), ("b", 0)] {
        payments.publish(&format!("invoice.{id}.paid"), &cents).await.unwrap();
    }
    // The own topic of the same name is another one.
    orders.publisher().publish("invoice.c.paid", &1).await.unwrap();
    let stats = orders.wait_until(|stats| stats.settled() == 2, LIMIT).await.unwrap();
    assert_eq!((stats.processed, stats.dead_lettered, stats.retried), (1, 1, 1), "{stats:?}");
    assert_eq!(orders.publisher().dead_letters().replay_all().await.unwrap(), 1);
    orders.wait_until(|stats| stats.dead_lettered == 2, LIMIT).await.unwrap();
    assert!(orders.shutdown().await.is_clean());
    let (paid, free) = ("a 7 invoice.a.paid test-payments-stream", "b 0 invoice.b.paid test-payments-stream");
    assert_eq!(sorted(&log), [paid, free, free, free, free]);
}

#[tokio::test]
async fn in_memory_the_topics_of_another_application_are_read() {
    the_topics_of_another_application(&format!("memory:{}", unique("others"))).await;
}

#[tokio::test]
async fn on_a_server_the_topics_of_another_application_are_read() {
    let server = NatsServer::start().await;
    the_topics_of_another_application(&server.url()).await;
    let inspector = Inspector::connect(&server.url()).await;
    assert_eq!(inspector.consumer_names("test-payments-stream").await, ["orders-on_paid"]);
    assert!(inspector.consumer_names("test-orders-stream").await.is_empty());
    let letters = inspector.messages("test-orders-dlq").await;
    assert_eq!(letters.len(), 1, "the one that was replayed is gone, and came again");
    assert_eq!(letters[0].subject.as_str(), "test.dlq.orders.orders-on_paid.invoice.b.paid");
    assert!(!inspector.stream_names().await.iter().any(|name| name.contains("payments-releases")));
}

/// Each of two applications reads the other's topics; whichever starts first waits.
#[tokio::test]
async fn the_start_waits_for_the_other_application() {
    let server = NatsServer::start().await;
    let (url, first) = (server.url(), app(&server.url(), "orders").subscriber(waits {}).build().unwrap());
    let first = tokio::spawn(first.start());
    let inspector = Inspector::connect(&url).await;
    eventually("the stream of the first is there", LIMIT, || async {
        inspector.stream_names().await.contains(&"test-orders-stream".to_owned()).then_some(())
    })
    .await;
    let payments = publisher(&url, "payments").await;
    let orders = first.await.unwrap().unwrap();
    payments.publish("invoice.a.paid", &1).await.unwrap();
    orders.wait_until(|stats| stats.processed == 1, LIMIT).await.unwrap();
    assert!(orders.shutdown().await.is_clean());
}

async fn every_application(url: &str) {
    let log = Log::default();
    let payments = publisher(url, "payments").await;
    let watcher = start(app(url, "watcher").state(log.clone()).subscriber(audit {})).await;
    payments.publish("invoice.created", &1).await.unwrap();
    payments.publish("invoice.paid", &2).await.unwrap();
    watcher.publisher().publish("report.created", &13).await.unwrap();
    let stats = watcher.wait_until(|stats| stats.settled() == 2, LIMIT).await.unwrap();
    assert_eq!((stats.processed, stats.dead_lettered), (1, 1), "{stats:?}");
    assert_eq!(sorted(&log), ["1 invoice.created test-payments-stream", "13 report.created test-watcher-stream"]);
    watcher.shutdown().await;
    // The same durables go on where they were.
    let watcher = start(app(url, "watcher").state(log.clone()).subscriber(audit {})).await;
    payments.publish("invoice.created", &3).await.unwrap();
    watcher.wait_until(|stats| stats.processed == 1, LIMIT).await.unwrap();
    assert_eq!(sorted(&log).len(), 3);
    assert!(watcher.shutdown().await.is_clean());
}

#[tokio::test]
async fn in_memory_every_application_is_read() {
    every_application(&format!("memory:{}", unique("everyone"))).await;
}

#[tokio::test]
async fn on_a_server_every_application_is_read_and_one_that_comes_later_too() {
    keep_logs();
    let server = NatsServer::start().await;
    every_application(&server.url()).await;
    let inspector = Inspector::connect(&server.url()).await;
    for stream in ["test-payments-stream", "test-watcher-stream"] {
        assert_eq!(inspector.consumer_names(stream).await, ["watcher-audit"]);
    }
    assert_eq!(inspector.consumer("test-payments-stream", "watcher-audit").await.config.max_deliver, -1);
    assert_eq!(inspector.consumer("test-watcher-stream", "watcher-audit").await.config.max_deliver, 102);

    let log = Log::default();
    let watcher = start(app(&server.url(), "watcher").state(log.clone()).subscriber(audit {})).await;
    let late = publisher(&server.url(), "late").await;
    late.publish("user.created", &7).await.unwrap();
    watcher.wait_until(|stats| stats.processed == 1, NEWCOMER_LIMIT).await.unwrap();
    assert_eq!(sorted(&log), ["7 user.created test-late-stream"]);
    // An application that is taken down for good makes nobody unready.
    inspector.jetstream.delete_stream("test-late-stream").await.unwrap();
    eventually("the watcher has noticed it", LIMIT, || async {
        kept_logs().contains("the consumer is lost").then_some(())
    })
    .await;
    eventually("the watcher is well without it", LIMIT, || async {
        let health = watcher.health();
        (health.status == HealthStatus::Healthy).then_some(())
    })
    .await;
    assert!(watcher.shutdown().await.is_clean());
}
