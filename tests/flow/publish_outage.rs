//! Goal: while the server is away, a publish ends in time and tells the truth: not stored, or in doubt, and what is in
//! doubt is sent again under the same id and stored once. Method: the server is stopped, killed with confirmations on
//! their way, and frozen; what the stream holds is compared with what was told.

use std::collections::BTreeMap;
use std::future::ready;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::future::join_all;
use natspubsub::prelude::*;
use natspubsub::{ErrorKind, HealthStatus, RunningApp};
use natspubsub_tests::{Inspector, Mode, NatsServer, Proxy, eventually};
use nix::sys::signal::Signal;

const LIMIT: Duration = Duration::from_secs(30);
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(1);

/// What an answer may be late by on a busy machine.
const SLACK: Duration = Duration::from_secs(1);
const STREAM: &str = "test-outage-stream";

/// An application that publishes and nothing else.
async fn start(url: &str, timeout: Duration, attempts: u32) -> RunningApp {
    let config = Config::builder().url(url).env("test").app("outage");
    let config = config.publish_timeout(timeout).publish_attempts(attempts).build().unwrap();
    App::builder().config(config).publish_only().build().unwrap().start().await.unwrap()
}

/// How often each event id is stored.
async fn stored(server: &NatsServer) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for message in Inspector::connect(&server.url()).await.messages(STREAM).await {
        *counts.entry(message.headers.get("Nats-Msg-Id").unwrap().as_str().to_owned()).or_default() += 1;
    }
    counts
}

async fn until(running: &RunningApp, status: HealthStatus) {
    let what = format!("the application is {status:?}");
    eventually(&what, LIMIT, || ready((running.health().status == status).then_some(()))).await;
}

async fn publish(publisher: &Publisher, id: &str) -> Result<Published> {
    publisher.message("Ann").topic("user.created").event_id(id).publish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_a_publish_fails_in_time_and_is_not_stored_later() {
    let mut server = NatsServer::start().await;
    let running = start(&server.url(), PUBLISH_TIMEOUT, 3).await;
    let publisher = running.publisher();
    publish(publisher, "before").await.unwrap();
    server.stop().await;
    until(&running, HealthStatus::Unhealthy).await;

    let began = Instant::now();
    let alone = publish(publisher, "alone");
    let together = join_all(["b", "c", "d"].map(|id| publish(publisher, id)));
    let mut batch = publisher.batch();
    batch.add("user.created", "Bob").add("user.created", "Cid");
    let mut atomic = publisher.batch().atomic();
    atomic.add("user.created", "Dan");
    let (alone, together, batch, atomic) = tokio::join!(alone, together, batch.publish(), atomic.publish());
    let took = began.elapsed();
    assert!(took < PUBLISH_TIMEOUT + SLACK, "{took:?}");
    let batched = batch.results.into_iter().map(|result| result.result);
    for result in [alone].into_iter().chain(together).chain(batched) {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Connect, "{error}");
        assert!(error.to_string().contains("not stored"), "{error}");
    }
    let error = atomic.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Connect, "{error}");
    let core = publisher.subject("user.typing").send_core("Ann").await.unwrap_err();
    assert_eq!(core.kind(), &ErrorKind::Connect, "{core}");

    server.restart().await;
    until(&running, HealthStatus::Healthy).await;
    // What the client had kept would be written before this.
    publish(publisher, "after").await.unwrap();
    let ids: Vec<String> = stored(&server).await.into_keys().collect();
    assert_eq!(ids, ["after", "before"]);
    assert!(running.shutdown().await.is_clean());
}

/// `lost`: which direction is cut off, so that the message or its confirmation is lost.
async fn a_publish_on_its_way_survives_a_killed_server(lost: Mode, is_stored: bool) {
    let mut server = NatsServer::start().await;
    let proxy = Proxy::to(server.address()).await;
    let running = start(&proxy.url(), LIMIT, 3).await;
    proxy.set(lost);
    let publisher = running.publisher().clone();
    let on_its_way = tokio::spawn(async move { publish(&publisher, "once").await });
    eventually("something is lost", LIMIT, || ready((proxy.swallowed() > 0).then_some(()))).await;
    let before = stored(&server).await.len();
    assert_eq!(before, usize::from(is_stored), "the message itself arrived, or did not");
    server.kill();
    assert!(!on_its_way.is_finished(), "it has no answer yet");
    proxy.set(Mode::Pass);
    server.restart().await;

    let published = tokio::time::timeout(LIMIT, on_its_way).await.expect("it ends").unwrap().expect("it is stored");
    assert_eq!((published.sequence, published.duplicate, published.event_id.as_str()), (1, is_stored, "once"));
    assert_eq!(stored(&server).await, BTreeMap::from([("once".to_owned(), 1)]), "once, whatever was lost");
    assert!(running.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_whose_confirmation_died_with_the_server_is_stored_once() {
    a_publish_on_its_way_survives_a_killed_server(Mode::Blackhole { up: false, down: true }, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_that_died_with_the_server_is_sent_again() {
    a_publish_on_its_way_survives_a_killed_server(Mode::Blackhole { up: true, down: false }, false).await;
}

/// Fewer than wait for their confirmation at once, so that all of them wait for the connection.
const WAITING: u64 = 800;

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_wait_for_the_server_keep_their_order() {
    let server = NatsServer::start().await;
    let proxy = Proxy::to(server.address()).await;
    let running = start(&proxy.url(), LIMIT, 1).await;
    proxy.set(Mode::Refuse);
    proxy.reset();
    until(&running, HealthStatus::Unhealthy).await;

    let publisher = running.publisher().clone();
    let mut batch = publisher.batch();
    for number in 0..WAITING {
        batch.add("reading.taken", &number);
    }
    let waiting = tokio::spawn(async move { batch.publish().await });
    let before = proxy.connections();
    eventually("the client tries to connect", LIMIT, || ready((proxy.connections() > before).then_some(()))).await;
    assert!(!waiting.is_finished());
    proxy.set(Mode::Pass);
    let report = waiting.await.unwrap();
    let places: Vec<u64> = report.results.iter().map(|result| result.result.as_ref().unwrap().sequence).collect();
    assert!(places.iter().copied().eq(1..=WAITING), "out of order: {places:?}");
    assert!(running.shutdown().await.is_clean());
}

/// As in a `select!` that goes on with something else: the future is there and nobody polls it.
#[tokio::test(flavor = "multi_thread")]
async fn a_publish_that_nobody_polls_any_more_holds_up_no_other() {
    let server = NatsServer::start().await;
    let proxy = Proxy::to(server.address()).await;
    let running = start(&proxy.url(), LIMIT, 1).await;
    proxy.set(Mode::Refuse);
    proxy.reset();
    until(&running, HealthStatus::Unhealthy).await;

    let publisher = running.publisher();
    let (mut first, mut left) = (pin!(publish(publisher, "first")), pin!(publish(publisher, "left")));
    assert!(futures::poll!(&mut first).is_pending() && futures::poll!(&mut left).is_pending());
    proxy.set(Mode::Pass);
    first.await.unwrap();
    let began = Instant::now();
    publish(publisher, "after").await.unwrap();
    assert!(began.elapsed() < SLACK, "{:?}", began.elapsed());
    assert!(!left.await.unwrap().duplicate, "it goes on when it is polled again");
}

/// The longest outage that three attempts of a second do not sit out, and five do.
const FREEZE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_leaves_a_publish_in_doubt_and_never_refuses_it() {
    let server = NatsServer::start().await;
    let hasty = start(&server.url(), PUBLISH_TIMEOUT, 1).await;
    let patient = start(&server.url(), PUBLISH_TIMEOUT, 5).await;
    let ids: Vec<String> = (0..50).map(|number| format!("event-{number}")).collect();
    server.freeze().await;
    let thaw = async {
        server.stay_away_for(FREEZE).await;
        server.signal(Signal::SIGCONT);
    };
    let (_, hasty_results, patient_results) =
        tokio::join!(thaw, join_all(ids.iter().map(|id| publish(hasty.publisher(), id))), async {
            let ids = ids.iter().map(|id| format!("patient-{id}"));
            join_all(ids.map(async |id| publish(patient.publisher(), &id).await)).await
        });
    for result in &hasty_results {
        let error = result.as_ref().expect_err("the freeze is longer than one attempt");
        assert_eq!(error.kind(), &ErrorKind::Unknown, "{error}");
    }
    for result in &patient_results {
        assert!(result.is_ok(), "the attempts last longer than the freeze: {result:?}");
    }
    // The caller tries again under the same id, whatever became of the first.
    for id in &ids {
        publish(hasty.publisher(), id).await.unwrap();
    }
    let stored = stored(&server).await;
    assert_eq!(stored.len(), 2 * ids.len());
    assert!(stored.values().all(|count| *count == 1), "each once: {stored:?}");
    assert!(hasty.shutdown().await.is_clean() && patient.shutdown().await.is_clean());
}
