//! Goal: what the server knows about a consumer is told within seconds, while handlers are stuck and while a circuit is
//! open; runs, retries and waits are counted where they happen. Method: a real server, handlers at a gate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, Scrape, config, eventually};
use tokio::sync::Semaphore;

use crate::{recorded, scraped};

const LIMIT: Duration = Duration::from_secs(20);

#[topic_subscriber("backlog.grown", concurrency = 1, prefetch = 1)]
async fn waits(_number: u32, State(gate): State<Arc<Semaphore>>) {
    gate.acquire().await.unwrap().forget();
}

#[tokio::test]
async fn a_backlog_is_told_with_its_age_and_goes() {
    let _turn = recorded().await;
    let (server, gate) = (NatsServer::start().await, Arc::new(Semaphore::new(0)));
    let app = App::builder().config(config(&server.url(), "backlog")).state(gate.clone()).subscriber(waits {});
    let running = app.build().unwrap().start().await.unwrap();
    for number in 0..20_u32 {
        running.publisher().publish("backlog.grown", &number).await.unwrap();
    }
    let consumer = [("stream", "test-backlog-stream"), ("consumer", "backlog-waits")];
    let told = |scrape: &Scrape| {
        let of = |what: &str| scrape.sum(&format!("nats_pubsub_consumer_{what}"), &consumer);
        (of("lag"), of("ack_pending"), of("lag_seconds"))
    };
    let (_, _, age) = scraped("the backlog is told", |scrape| {
        let told = told(scrape);
        (told.0 == 18.0 && told.1 == 2.0 && told.2 > 0.0).then_some(told)
    })
    .await;
    scraped("its age rises without asking the server", |scrape| (told(scrape).2 >= age + 2.0).then_some(())).await;
    gate.add_permits(20);
    running.wait_until(|stats| stats.processed == 20, LIMIT).await.unwrap();
    scraped("nothing waits", |scrape| (told(scrape) == (0.0, 0.0, 0.0)).then_some(())).await;

    let own = [("subscriber", "waits")];
    let scrape = Scrape::now();
    assert_eq!(scrape.count("nats_pubsub_queue_wait_seconds_count", &own), 20);
    let waited = scrape.sum("nats_pubsub_queue_wait_seconds_sum", &own);
    assert!(waited >= age, "one waited in hand for its turn: {waited}");
    running.shutdown().await;
}

#[topic_subscriber("again.tried", max_attempts = 3, backoff = "10ms")]
async fn fails_twice(_number: u32, ctx: Context) -> Result<(), std::io::Error> {
    if ctx.attempt() < 3 { Err(std::io::Error::other("no luck")) } else { Ok(()) }
}

#[tokio::test]
async fn retries_and_redeliveries_are_counted_by_outcome() {
    let _turn = recorded().await;
    let server = NatsServer::start().await;
    let app = App::builder().config(config(&server.url(), "again")).subscriber(fails_twice {});
    let running = app.build().unwrap().start().await.unwrap();
    for number in 0..5_u32 {
        running.publisher().publish("again.tried", &number).await.unwrap();
    }
    running.wait_until(|stats| stats.processed == 5, LIMIT).await.unwrap();
    let scrape = Scrape::now();
    let own = |name: &str| scrape.count(&format!("nats_pubsub_{name}"), &[("subscriber", "fails_twice")]);
    assert_eq!((own("deliveries_total"), own("redeliveries_total"), own("retries_total")), (15, 10, 10));
    assert_eq!((own("messages_processed_total"), own("messages_failed_total")), (5, 10));
    let runs = |outcome: &str| {
        let labels = [("subscriber", "fails_twice"), ("outcome", outcome)];
        scrape.count("nats_pubsub_handler_duration_seconds_count", &labels)
    };
    assert_eq!((runs("ack"), runs("transient")), (5, 10));
    running.shutdown().await;
}

#[derive(Debug, thiserror::Error, HandlerError)]
#[error("the database is down")]
#[infrastructure(pause = "500ms")]
struct Down;

#[topic_subscriber("circuit.opened", concurrency = 2, prefetch = 2)]
async fn depends(_number: u32, State(down): State<Arc<AtomicBool>>) -> Result<(), Down> {
    if down.load(Ordering::Relaxed) { Err(Down) } else { Ok(()) }
}

#[tokio::test]
async fn an_open_circuit_is_told_and_its_backlog_too() {
    let _turn = recorded().await;
    let (server, down) = (NatsServer::start().await, Arc::new(AtomicBool::new(true)));
    let app = App::builder().config(config(&server.url(), "circuit")).state(down.clone()).subscriber(depends {});
    let running = app.build().unwrap().start().await.unwrap();
    for number in 0..10_u32 {
        running.publisher().publish("circuit.opened", &number).await.unwrap();
    }
    let consumer = [("stream", "test-circuit-stream"), ("consumer", "circuit-depends")];
    scraped("the circuit is open", |scrape| (scrape.count("nats_pubsub_circuit_state", &consumer) == 2).then_some(()))
        .await;
    scraped("what waits behind it is told", |scrape| {
        (scrape.count("nats_pubsub_consumer_lag", &consumer) >= 6).then_some(())
    })
    .await;
    down.store(false, Ordering::Relaxed);
    running.wait_until(|stats| stats.processed == 10, LIMIT).await.unwrap();
    scraped("the circuit is closed", |scrape| {
        (scrape.count("nats_pubsub_circuit_state", &consumer) == 0).then_some(())
    })
    .await;
    let failed = [("subscriber", "depends"), ("error_type", "infrastructure")];
    assert!(Scrape::now().count("nats_pubsub_messages_failed_total", &failed) > 0);
    running.shutdown().await;
}

#[topic_subscriber(
    "closed.off",
    concurrency = 1,
    prefetch = 1,
    backoff = "60s",
    circuit_breaker(failures = 1, open = "60s", half_open = 1)
)]
async fn gives_up(_number: u32) -> Result<(), std::io::Error> {
    Err(std::io::Error::other("no luck"))
}

#[tokio::test]
async fn a_backlog_behind_an_open_circuit_is_told_though_nothing_is_in_hand() {
    let _turn = recorded().await;
    let server = NatsServer::start().await;
    let app = App::builder().config(config(&server.url(), "closed")).subscriber(gives_up {});
    let running = app.build().unwrap().start().await.unwrap();
    running.publisher().publish("closed.off", &1).await.unwrap();
    running.wait_until(|stats| stats.retried == 1, LIMIT).await.unwrap();
    let inspector = Inspector::connect(&server.url()).await;
    eventually("nothing is asked for any more", LIMIT, || async {
        let consumer = inspector.consumer("test-closed-stream", "closed-gives_up").await;
        (consumer.num_waiting == 0).then_some(())
    })
    .await;
    let in_hand = [("subscriber", "gives_up")];
    assert_eq!(Scrape::now().count("nats_pubsub_deliveries_in_flight", &in_hand), 0);
    for number in 0..5_u32 {
        running.publisher().publish("closed.off", &number).await.unwrap();
    }
    let consumer = [("stream", "test-closed-stream"), ("consumer", "closed-gives_up")];
    scraped("the backlog is told", |scrape| {
        let lag = scrape.count("nats_pubsub_consumer_lag", &consumer);
        (lag == 5 && scrape.count("nats_pubsub_circuit_state", &consumer) == 2).then_some(())
    })
    .await;
    running.shutdown().await;
}

#[topic_subscriber("stalled.now")]
async fn stalls(_number: u32) {}

#[tokio::test]
async fn messages_that_wait_while_none_arrives_are_told() {
    let _turn = recorded().await;
    let server = NatsServer::start().await;
    let app = App::builder().config(config(&server.url(), "stalled")).subscriber(stalls {});
    let running = app.build().unwrap().start().await.unwrap();
    let inspector = Inspector::connect(&server.url()).await;
    let pause = async |until: &str| {
        let subject = "$JS.API.CONSUMER.PAUSE.test-stalled-stream.stalled-stalls";
        let body = format!("{{\"pause_until\":\"{until}\"}}");
        inspector.client.request(subject, body.into()).await.unwrap();
    };
    pause("2100-01-01T00:00:00Z").await;
    for number in 0..3_u32 {
        running.publisher().publish("stalled.now", &number).await.unwrap();
    }
    let consumer = [("stream", "test-stalled-stream"), ("consumer", "stalled-stalls")];
    let stalled = |scrape: &Scrape| scrape.count("nats_pubsub_consumer_stalled_messages", &consumer);
    scraped("three messages wait", |scrape| (stalled(scrape) == 3).then_some(())).await;
    pause("2000-01-01T00:00:00Z").await;
    running.wait_until(|stats| stats.processed == 3, LIMIT).await.unwrap();
    scraped("none does", |scrape| (stalled(scrape) == 0).then_some(())).await;
    running.shutdown().await;
}

#[topic_subscriber("dropped.whole", concurrency = 2, prefetch = 2)]
async fn stands(_number: u32, State(gate): State<Arc<Semaphore>>) {
    gate.acquire().await.unwrap().forget();
}

#[tokio::test]
async fn an_application_that_is_dropped_leaves_nothing_in_flight() {
    let _turn = recorded().await;
    let (server, gate) = (NatsServer::start().await, Arc::new(Semaphore::new(0)));
    let app = App::builder().config(config(&server.url(), "dropped")).state(gate).subscriber(stands {});
    let running = app.build().unwrap().start().await.unwrap();
    for number in 0..4_u32 {
        running.publisher().publish("dropped.whole", &number).await.unwrap();
    }
    let own = [("subscriber", "stands")];
    let in_flight = |scrape: &Scrape| scrape.count("nats_pubsub_deliveries_in_flight", &own);
    scraped("all are in hand", |scrape| (in_flight(scrape) == 4).then_some(())).await;
    drop(running);
    scraped("none is, and each has an end", |scrape| {
        let unanswered = [own[0], ("outcome", "unanswered")];
        let ended = scrape.count("nats_pubsub_settlements_total", &unanswered);
        ((in_flight(scrape), ended) == (0, 4)).then_some(())
    })
    .await;
    assert_eq!(Scrape::now().count("nats_pubsub_handlers_running", &own), 0);
}
