//! Goal: a consumer that stalls while everything else looks well makes the application unready within 15 seconds, with the
//! reason in the answer, and it is ready again once messages arrive. Method: the server pauses the consumer (nats-server
//! 2.11): it answers every request and delivers nothing; a probe asks over HTTP.

use std::time::{Duration, Instant};

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, eventually, get, watched};

const SEEN_WITHIN: Duration = Duration::from_secs(15);
const HEALS_WITHIN: Duration = Duration::from_secs(20);
const STREAM: &str = "test-h1-stalls-stream";
const CHECK: &str = "subscriber:h1-stalls-orders";

#[topic_subscriber("order.created")]
async fn orders(_order: u32) {}

async fn pause(inspector: &Inspector, until: &str) {
    let subject = format!("$JS.API.CONSUMER.PAUSE.{STREAM}.h1-stalls-orders");
    let body = format!("{{\"pause_until\":\"{until}\"}}");
    let answer = inspector.client.request(subject, body.into()).await.unwrap();
    let text = String::from_utf8_lossy(&answer.payload).into_owned();
    assert!(!text.contains("error"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h1_a_stalled_consumer_is_not_ready_until_its_messages_arrive() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let app = App::builder().config(watched(&server.url(), "h1-stalls")).subscriber(orders {});
    let running = app.build().unwrap().start().await.unwrap();
    let address = running.admin_address().unwrap();
    running.publisher().publish("order.created", &0_u32).await.unwrap();
    running.wait_until(|stats| stats.processed == 1, SEEN_WITHIN).await.unwrap();
    assert_eq!(get(address, "/readyz").await.unwrap().status, 200);

    pause(&inspector, "2100-01-01T00:00:00Z").await;
    running.publisher().publish("order.created", &1_u32).await.unwrap();
    running.publisher().publish("order.created", &2_u32).await.unwrap();
    let begun = Instant::now();
    let stalled = eventually("readiness is false", SEEN_WITHIN, || async {
        let answer = get(address, "/readyz").await.unwrap();
        (answer.status == 503).then_some(answer)
    })
    .await;
    assert!(begun.elapsed() <= SEEN_WITHIN, "{:?}", begun.elapsed());
    let told = stalled.check(CHECK)["message"].as_str().unwrap().to_owned();
    assert!(told.starts_with("2 message(s) wait at the consumer h1-stalls-orders, and none"), "{told}");
    assert_eq!(stalled.json()["checks"][0]["name"], CHECK, "the worst check comes first");
    assert_eq!(stalled.check("connection")["status"], "healthy", "everything else looks well");
    assert_eq!(stalled.check("jetstream")["status"], "healthy", "everything else looks well");
    assert_eq!(get(address, "/livez").await.unwrap().status, 200);
    assert_eq!(running.stats().processed, 1, "the consumer is paused");

    pause(&inspector, "2000-01-01T00:00:00Z").await;
    running.wait_until(|stats| stats.processed == 3, HEALS_WITHIN).await.unwrap();
    eventually("readiness is true again", HEALS_WITHIN, || async {
        let answer = get(address, "/readyz").await.unwrap();
        (answer.status == 200 && answer.json()["status"] == "healthy").then_some(())
    })
    .await;
    assert!(running.shutdown().await.is_clean());
}
