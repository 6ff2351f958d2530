//! Goal: the connection and the subscribers of a process are told as they are, and core NATS counts what it loses. Method:
//! a server that goes and comes back, a listener with little room.

use std::sync::Arc;
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{NatsServer, Scrape, config};
use tokio::sync::Semaphore;

use crate::{recorded, scraped};

const LIMIT: Duration = Duration::from_secs(20);

#[topic_subscriber("connection.used")]
async fn uses(_number: u32) {}

#[tokio::test]
async fn a_connection_that_breaks_is_told_and_counted() {
    let _turn = recorded().await;
    let mut server = NatsServer::start().await;
    let app = App::builder().config(config(&server.url(), "connection")).subscriber(uses {});
    let running = app.build().unwrap().start().await.unwrap();
    let status = |scrape: &Scrape| scrape.count("nats_pubsub_connection_status", &[]);
    let reconnects = |scrape: &Scrape| scrape.count("nats_pubsub_connection_reconnects_total", &[]);
    let before = scraped("it is connected", |scrape| (status(scrape) == 1).then(|| reconnects(scrape))).await;
    let pulling = [("transport", "jetstream")];
    let subscriptions = |scrape: &Scrape| scrape.count("nats_pubsub_active_subscriptions", &pulling);
    assert_eq!(subscriptions(&Scrape::now()), 1, "the reader of advisories is nobody's subscriber");
    server.kill();
    scraped("it is not", |scrape| (status(scrape) == 0).then_some(())).await;
    server.restart().await;
    scraped("it is again", |scrape| (status(scrape) == 1 && reconnects(scrape) == before + 1).then_some(())).await;
    running.shutdown().await;
    let scrape = Scrape::now();
    assert_eq!((status(&scrape), subscriptions(&scrape)), (0, 0), "after the end");
}

#[subject_subscriber("news.*", transport = "core", concurrency = 1, pending = 10)]
async fn hears(number: u32, State(gate): State<Arc<Semaphore>>) -> Result<(), std::io::Error> {
    gate.acquire().await.unwrap().forget();
    if number == 0 { Err(std::io::Error::other("no luck")) } else { Ok(()) }
}

#[tokio::test]
async fn core_nats_counts_what_it_loses() {
    const MESSAGES: u32 = 200;
    let _turn = recorded().await;
    let (server, gate) = (NatsServer::start().await, Arc::new(Semaphore::new(0)));
    let app = App::builder().config(config(&server.url(), "news")).state(gate.clone()).subscriber(hears {});
    let running = app.build().unwrap().start().await.unwrap();
    for number in 0..MESSAGES {
        running.publisher().subject("news.today").send_core(&number).await.unwrap();
    }
    let all = u64::from(MESSAGES);
    running.wait_until(|stats| stats.received == all, LIMIT).await.unwrap();
    let own = |scrape: &Scrape, name: &str| scrape.count(&format!("nats_pubsub_{name}"), &[("subscriber", "hears")]);
    let scrape = Scrape::now();
    let in_flight = own(&scrape, "deliveries_in_flight");
    assert_eq!(in_flight, 11, "one runs, ten wait");
    assert_eq!(own(&scrape, "deliveries_total"), own(&scrape, "settlements_total") + in_flight);
    assert_eq!(own(&scrape, "handlers_running"), 1);
    gate.add_permits(1_000);
    running.wait_until(|stats| stats.settled() == 11, LIMIT).await.unwrap();
    let scrape = Scrape::now();
    let ended = |outcome: &str| {
        let labels = [("subscriber", "hears"), ("outcome", outcome)];
        scrape.count("nats_pubsub_settlements_total", &labels)
    };
    assert_eq!((ended("dropped"), ended("failed"), ended("processed")), (i64::from(MESSAGES) - 11, 1, 10));
    assert_eq!(own(&scrape, "deliveries_in_flight"), 0);
    assert_eq!(scrape.count("nats_pubsub_messages_received_total", &[("subject", "news.*")]), i64::from(MESSAGES));
    let published = scrape.count("nats_pubsub_core_publishes_total", &[("subject", "news.*")]);
    assert_eq!(published, i64::from(MESSAGES), "the pattern that the application listens to");
    running.shutdown().await;
}
