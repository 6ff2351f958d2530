//! Goal: what a program does to its publishes harms no others: left alone in a `select!`, dropped, in several large batches
//! at once, cut off by resets or by a shutdown. Method: a small window, and a comparison of what was told with what the
//! stream of a real server holds.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use natspubsub::prelude::*;
use natspubsub::{ErrorKind, PublishResult, RunningApp};
use natspubsub_tests::{Inspector, NatsServer, Proxy};

const LIMIT: Duration = Duration::from_secs(30);
const WINDOW: u32 = 16;
const MANY: u64 = 200;
const STREAM: &str = "test-alone-stream";

async fn start(url: &str) -> RunningApp {
    let config = Config::builder().url(url).env("test").app("alone").publish_window(WINDOW);
    let config = config.publish_timeout(Duration::from_secs(1)).publish_attempts(2).build().unwrap();
    App::builder().config(config).publish_only().build().unwrap().start().await.unwrap()
}

fn batch(publisher: &Publisher, task: u64, count: u64) -> natspubsub::PublishBatch {
    let mut batch = publisher.batch();
    for number in 0..count {
        let id = format!("{task}-{number}");
        batch.add_message(publisher.message(&number).topic("reading.taken").event_id(id));
    }
    batch
}

fn is_stored(result: &PublishResult) -> bool {
    result.result.is_ok()
}

/// The ids in the stream, in its order.
async fn stored(server: &NatsServer) -> Vec<String> {
    let messages = Inspector::connect(&server.url()).await.messages(STREAM).await;
    messages.iter().map(|message| message.headers.get("Nats-Msg-Id").unwrap().as_str().to_owned()).collect()
}

async fn a_batch_that_nobody_polls_holds_up_nobody(url: &str) {
    let running = start(url).await;
    let publisher = running.publisher();
    let mut batch = batch(publisher, 0, MANY);
    let mut left_alone = pin!(batch.publish());
    assert!(left_alone.as_mut().now_or_never().is_none(), "it waits for its confirmations");
    // As in the other branch of a `select!`.
    let other = tokio::time::timeout(LIMIT, publisher.publish("reading.missed", &1)).await;
    other.expect("it is not held up").expect("it is stored");
    let report = left_alone.await;
    assert!(report.is_ok(), "{:?}", report.results.iter().find(|result| result.is_err()));
    assert!(running.shutdown().await.is_clean());
}

#[tokio::test]
async fn on_a_server_a_batch_that_nobody_polls_holds_up_nobody() {
    let server = NatsServer::start().await;
    a_batch_that_nobody_polls_holds_up_nobody(&server.url()).await;
    assert_eq!(stored(&server).await.len() as u64, MANY + 1);
}

/// Their bytes are bounded too.
#[tokio::test]
async fn large_messages_that_nobody_polls_hold_up_no_others() {
    let server = NatsServer::start().await;
    let config = Config::builder().url(server.url()).env("test").app("alone");
    let config = config.publish_timeout(Duration::from_secs(1)).publish_attempts(2).build().unwrap();
    let publisher = Publisher::connect(config).await.unwrap();
    let large = "x".repeat(900_000);
    let mut batch = publisher.batch();
    for _ in 0..100 {
        batch.add("reading.taken", &large);
    }
    let mut left_alone = pin!(batch.publish());
    assert!(left_alone.as_mut().now_or_never().is_none());
    let other = tokio::time::timeout(LIMIT, publisher.publish("reading.missed", &large)).await;
    other.expect("it is not held up").expect("it is stored");
}

#[tokio::test]
async fn a_batch_that_is_dropped_gives_its_places_back() {
    let server = NatsServer::start().await;
    let running = start(&server.url()).await;
    let publisher = running.publisher();
    for task in 0..3 {
        let mut dropped = batch(publisher, task, MANY);
        assert!(dropped.publish().now_or_never().is_none());
        assert!(dropped.is_empty(), "what it held is gone with it");
    }
    let report = tokio::time::timeout(LIMIT, batch(publisher, 3, MANY).publish()).await.expect("it ends");
    assert!(report.is_ok());
    assert!(running.shutdown().await.is_clean());
    let ids = stored(&server).await;
    let complete: Vec<&String> = ids.iter().filter(|id| id.starts_with("3-")).collect();
    assert!(complete.iter().map(|id| (*id).clone()).eq((0..MANY).map(|number| format!("3-{number}"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_larger_than_the_window_share_it() {
    let server = NatsServer::start().await;
    let running = start(&server.url()).await;
    let tasks = (0..8).map(|task| {
        let publisher = running.publisher().clone();
        tokio::spawn(async move { batch(&publisher, task, 10 * MANY).publish().await })
    });
    let reports = tokio::time::timeout(LIMIT, join_all(tasks)).await.expect("none waits for another");
    for report in reports {
        let report = report.unwrap();
        let places: Vec<u64> = report.results.iter().map(|result| result.result.as_ref().unwrap().sequence).collect();
        assert!(places.is_sorted(), "each keeps its order");
    }
    assert!(running.shutdown().await.is_clean());
}

/// What is told to be stored is, once; what is told not to be stored is not.
async fn told_is_true(server: &NatsServer, results: &[PublishResult]) {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for id in stored(server).await {
        *counts.entry(id).or_default() += 1;
    }
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    for result in results {
        match result.error().map(natspubsub::Error::kind) {
            None => assert!(counts.contains_key(&result.event_id), "{} is lost", result.event_id),
            Some(ErrorKind::Unknown) => {}
            Some(kind) => assert!(!counts.contains_key(&result.event_id), "{kind:?} of {}", result.event_id),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_survives_connections_that_break() {
    let server = NatsServer::start().await;
    let proxy = Proxy::to(server.address()).await;
    let config = Config::builder().url(proxy.url()).env("test").app("alone").publish_window(WINDOW);
    let config = config.publish_attempts(10).build().unwrap();
    let publisher = Publisher::connect(config).await.unwrap();
    let own = publisher.clone();
    let published = tokio::spawn(async move { batch(&own, 0, 100 * MANY).publish().await });
    while !published.is_finished() {
        proxy.cut_after(100_000);
        let resets = proxy.resets();
        while proxy.resets() == resets && !published.is_finished() {
            tokio::task::yield_now().await;
        }
    }
    assert!(proxy.resets() > 3, "{} connection(s) broke", proxy.resets());
    let report = published.await.unwrap();
    assert!(report.is_ok(), "{:?}", report.results.iter().find(|result| result.is_err()));
    told_is_true(&server, &report.results).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_tells_the_truth_about_batches_on_their_way() {
    let server = NatsServer::start().await;
    let running = start(&server.url()).await;
    let publisher = running.publisher().clone();
    let begun = publisher.clone();
    let published = tokio::spawn(async move { batch(&begun, 0, 500 * MANY).publish().await });
    let inspector = Inspector::connect(&server.url()).await;
    natspubsub_tests::eventually("some are stored", LIMIT, || async {
        let mut stream = inspector.jetstream.get_stream(STREAM).await.unwrap();
        (stream.info().await.unwrap().state.messages > MANY).then_some(())
    })
    .await;
    let ended = running.shutdown().await;
    let report = tokio::time::timeout(LIMIT, published).await.expect("it ends").unwrap();
    assert!(ended.is_clean(), "{ended}");
    let refused = report.results.iter().filter(|result| !is_stored(result)).collect::<Vec<_>>();
    assert!(!refused.is_empty(), "the shutdown came in time");
    for result in &refused {
        assert_eq!(result.error().unwrap().kind(), &ErrorKind::ShuttingDown, "{:?}", result.result);
    }
    told_is_true(&server, &report.results).await;
}
