//! Goal: middleware around publishing sees every message once, in its order, whatever way the message goes. Method: a layer
//! that stamps, one that refuses and one that writes down, around each way of publishing, on both brokers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::store::{Migrations, SqliteStore};
use natspubsub::{Error, ErrorKind, NextPublish, Outgoing, PublishMiddleware, RunningApp, Way};
use natspubsub_tests::{NatsServer, SqliteFile, config, unique};
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(20);

type Lines = Arc<Mutex<Vec<String>>>;

fn taken(lines: &Lines) -> Vec<String> {
    std::mem::take(&mut lines.lock().unwrap())
}

/// Writes down what passes, and what became of it.
struct Ledger(Lines);

impl PublishMiddleware for Ledger {
    async fn publish(&self, outgoing: Outgoing, next: NextPublish<'_>) -> Result<Published> {
        let (topic, id, way) = (outgoing.topic().to_owned(), outgoing.event_id().to_owned(), outgoing.way());
        let published = next.run(outgoing).await;
        let ended = match &published {
            Ok(published) => {
                assert_eq!(published.event_id, id);
                assert_eq!(published.sequence > 0, way == Way::Stored, "{published:?}");
                "ok".to_owned()
            }
            Err(error) => format!("{:?}", error.kind()),
        };
        self.0.lock().unwrap().push(format!("{topic} {way:?} {ended}"));
        published
    }
}

/// Adds a header and metadata; lies inside of the ledger.
struct Stamp;

impl PublishMiddleware for Stamp {
    async fn publish(&self, mut outgoing: Outgoing, next: NextPublish<'_>) -> Result<Published> {
        let size = outgoing.body().len().to_string();
        outgoing.header("x-size", size).set_metadata("tenant_id", "acme");
        next.run(outgoing).await
    }
}

/// Refuses what is forbidden; lies innermost.
struct Gate;

impl PublishMiddleware for Gate {
    async fn publish(&self, outgoing: Outgoing, next: NextPublish<'_>) -> Result<Published> {
        assert_eq!(outgoing.headers().get("x-size").map(str::to_owned), Some(outgoing.body().len().to_string()));
        match outgoing.body() {
            b"\"forbidden\"" => Err(outgoing.refused("it is forbidden")),
            _ => next.run(outgoing).await,
        }
    }
}

#[topic_subscriber("word.*")]
async fn hears(word: String, ctx: Context, State(heard): State<Lines>) {
    let size = ctx.headers().get("x-size").unwrap_or("none").to_owned();
    let tenant = ctx.metadata().tenant_id.clone().unwrap_or_default();
    heard.lock().unwrap().push(format!("{} {word} {size} {tenant}", ctx.topic()));
}

#[subject_subscriber("spoken.words", transport = "core")]
async fn listens(word: String, ctx: Context, State(heard): State<Lines>) {
    heard.lock().unwrap().push(format!("core {word} {}", ctx.headers().get("x-size").unwrap_or("none")));
}

#[topic_subscriber("echo.wanted", publishes = "word.echoed")]
async fn echoes(word: String) -> String {
    word
}

struct Scene {
    running: RunningApp,
    ledger: Lines,
    heard: Lines,
}

impl Scene {
    async fn start(url: &str) -> Self {
        let (ledger, heard) = (Lines::default(), Lines::default());
        let app = App::builder().state(heard.clone()).publish_middleware(30, Gate).publish_middleware(20, Stamp);
        let app = app.publish_middleware(10, Ledger(ledger.clone())).subscriber(hears {}).subscriber(listens {});
        let app = app.config(config(url, &unique("layers"))).subscriber(echoes {}).build().unwrap();
        Self { running: app.start().await.unwrap(), ledger, heard }
    }

    /// Waits until so many messages were handled since the beginning, and says what was heard since the last look.
    async fn heard(&self, processed: u64) -> Vec<String> {
        self.running.wait_until(|stats| stats.processed == processed, LIMIT).await.unwrap();
        let mut heard = taken(&self.heard);
        heard.sort();
        heard
    }
}

fn forbidden<T: std::fmt::Debug>(result: Result<T, Error>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Validation, "{error:?}");
}

async fn every_way_passes_the_middleware_once(url: &str) {
    let scene = Scene::start(url).await;
    let publisher = scene.running.publisher();
    assert!(scene.running.report().contains("middleware around publishing: flow::publish_middleware::Ledger, "));

    publisher.publish("word.said", "one").await.unwrap();
    forbidden(publisher.publish("word.said", "forbidden").await);
    let again = publisher.message("one").topic("word.said").event_id("same");
    assert!(!again.publish().await.unwrap().duplicate);
    assert!(publisher.message("one").topic("word.said").event_id("same").publish().await.unwrap().duplicate);
    let ok = "word.said Stored ok";
    assert_eq!(taken(&scene.ledger), [ok, "word.said Stored Validation", ok, ok]);
    assert_eq!(scene.heard(2).await, ["word.said one 5 acme", "word.said one 5 acme"]);

    let both = publisher.publish_to(["word.left", "word.right"], "two").await;
    assert!(both.is_ok(), "{both:?}");
    assert_eq!(taken(&scene.ledger), ["word.left Stored ok", "word.right Stored ok"]);
    assert_eq!(scene.heard(4).await, ["word.left two 5 acme", "word.right two 5 acme"]);

    let mut batch = publisher.batch();
    batch.add("word.said", "three").add("word.said", "forbidden").add("no such topic", "x").add("word.said", "four");
    let one_id = |topic| publisher.message("five").topic(topic).event_id("five");
    let report = batch.add_message(one_id("word.left")).add_message(one_id("word.right")).publish().await;
    let results: Vec<bool> = report.results.iter().map(|result| result.is_ok()).collect();
    assert_eq!(results, [true, false, false, true, true, true], "{report:?}");
    assert!(!report.results[5].result.as_ref().unwrap().duplicate, "one id on two topics is told apart");
    assert_eq!(taken(&scene.ledger).len(), 5, "what is at fault when it is added goes nowhere");
    scene.heard(8).await;

    let buffered = publisher.buffered();
    buffered.add("word.said", "six").await.unwrap();
    buffered.add("word.said", "forbidden").await.unwrap();
    buffered.subject("spoken.words").add_core("seven").await.unwrap();
    let report = buffered.flush().await;
    assert_eq!((report.succeeded, report.failed), (2, 1), "{report:?}");
    let mut lines = taken(&scene.ledger);
    lines.sort();
    assert_eq!(lines, ["spoken.words Core ok", "word.said Stored Validation", ok]);
    assert_eq!(scene.heard(10).await, ["core seven 7", "word.said six 5 acme"]);

    publisher.subject("spoken.words").send_core("eight").await.unwrap();
    forbidden(publisher.subject("spoken.words").send_core("forbidden").await);
    assert_eq!(taken(&scene.ledger), ["spoken.words Core ok", "spoken.words Core Validation"]);
    assert_eq!(scene.heard(11).await, ["core eight 7"]);

    // A handler's publish, and what it returns.
    publisher.publish("echo.wanted", "nine").await.unwrap();
    assert_eq!(scene.heard(13).await, ["word.echoed nine 6 acme"]);
    assert_eq!(taken(&scene.ledger), ["echo.wanted Stored ok", "word.echoed Stored ok"]);
    assert!(scene.running.shutdown().await.is_clean());
}

#[tokio::test]
async fn on_memory_every_way_passes_the_middleware_once() {
    every_way_passes_the_middleware_once(&format!("memory:{}", unique("publish"))).await;
}

#[tokio::test]
async fn on_nats_every_way_passes_the_middleware_once() {
    let server = NatsServer::start().await;
    every_way_passes_the_middleware_once(&server.url()).await;
}

#[tokio::test]
async fn of_an_atomic_batch_each_message_passes_and_one_refusal_refuses_all() {
    let server = NatsServer::start().await;
    let scene = Scene::start(&server.url()).await;
    let publisher = scene.running.publisher();
    let report = publisher.batch().atomic().add("word.said", "one").add("word.left", "two").publish().await.unwrap();
    let sequences: Vec<u64> = report.results.iter().map(|result| result.result.as_ref().unwrap().sequence).collect();
    assert_eq!(sequences, [1, 2]);
    assert_eq!(taken(&scene.ledger), ["word.said Stored ok", "word.left Stored ok"]);
    assert_eq!(scene.heard(2).await, ["word.left two 5 acme", "word.said one 5 acme"]);
    forbidden(publisher.batch().atomic().add("word.said", "three").add("word.said", "forbidden").publish().await);
    assert_eq!(publisher.publish("word.said", "four").await.unwrap().sequence, 3, "nothing of the batch was stored");
    scene.heard(3).await;
    assert!(scene.running.shutdown().await.is_clean());
}

#[topic_subscriber("order.created", durable = "pays")]
async fn pays(order: String, tx: &mut Tx<Sqlite>) -> Result<()> {
    tx.message(&order).topic("order.paid").publish(tx).await?;
    tx.publish_to(["word.left", "word.right"], &order).await?;
    Ok(())
}

#[tokio::test]
async fn a_message_passes_when_it_is_written_into_the_outbox_and_not_when_it_is_relayed() {
    let file = SqliteFile::start().await;
    let pool = file.pool().await;
    let store = SqliteStore::new(pool.clone());
    Migrations::run(&store).await.unwrap();
    let (ledger, heard) = (Lines::default(), Lines::default());
    let app = App::builder().state(heard.clone()).publish_middleware(20, Stamp).publish_middleware(30, Gate);
    let app = app.publish_middleware(10, Ledger(ledger.clone())).store(store).subscriber(pays {}).subscriber(hears {});
    let url = format!("memory:{}", unique("outbox"));
    let running = app.config(config(&url, "outbox")).build().unwrap().start().await.unwrap();
    running.publisher().publish("order.created", "ORD-1").await.unwrap();
    running.wait_until(|stats| stats.processed == 3, LIMIT).await.unwrap();
    let lines = taken(&ledger);
    let outbox = ["order.paid Outbox ok", "word.left Outbox ok", "word.right Outbox ok"];
    assert_eq!(lines[..1], ["order.created Stored ok"]);
    assert_eq!(lines[1..], outbox);
    let mut heard = taken(&heard);
    heard.sort();
    assert_eq!(heard, ["word.left ORD-1 7 acme", "word.right ORD-1 7 acme"]);
    // What is refused leaves nothing of the transaction.
    running.publisher().message(&json!("forbidden")).topic("other.topic").publish().await.unwrap_err();
    assert!(running.shutdown().await.is_clean());
}
