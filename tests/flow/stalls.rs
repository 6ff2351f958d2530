//! Goal: a consumer that has messages and delivers none is not healthy, and is healthy again by itself. Method: pause
//! the consumer at the server (nats-server 2.11), which answers every request and delivers nothing.

use std::time::{Duration, Instant};

use natspubsub::HealthStatus;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, Mode, NatsServer, Proxy, config, eventually};

#[topic_subscriber("order.created")]
async fn orders(_order: u32) {}

async fn pause(inspector: &Inspector, until: &str) {
    let subject = "$JS.API.CONSUMER.PAUSE.test-stalls-stream.stalls-orders";
    let body = format!("{{\"pause_until\":\"{until}\"}}");
    let answer = inspector.client.request(subject, body.into()).await.unwrap();
    let text = String::from_utf8_lossy(&answer.payload).into_owned();
    assert!(!text.contains("error"), "{text}");
}

#[tokio::test]
async fn a_consumer_that_delivers_nothing_while_messages_wait_is_not_healthy() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let app = App::builder().config(config(&server.url(), "stalls")).subscriber(orders {});
    let running = app.build().unwrap().start().await.unwrap();
    running.publisher().publish("order.created", &0_u32).await.unwrap();
    running.wait_until(|stats| stats.processed == 1, Duration::from_secs(10)).await.unwrap();
    pause(&inspector, "2100-01-01T00:00:00Z").await;
    running.publisher().publish("order.created", &1_u32).await.unwrap();
    running.publisher().publish("order.created", &2_u32).await.unwrap();
    let started = Instant::now();
    let health = eventually("readiness is false", Duration::from_secs(30), || {
        let health = running.health();
        std::future::ready((health.status == HealthStatus::Unhealthy).then_some(health))
    })
    .await;
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(running.stats().processed, 1, "the consumer is paused");
    let problems = health.problems.join(", ");
    assert!(problems.contains("2 message(s) wait at the consumer stalls-orders"), "{problems}");

    pause(&inspector, "2000-01-01T00:00:00Z").await;
    running.wait_until(|stats| stats.processed == 3, Duration::from_secs(20)).await.unwrap();
    eventually("readiness is true again", Duration::from_secs(20), || {
        std::future::ready((running.health().status == HealthStatus::Healthy).then_some(()))
    })
    .await;
    assert!(running.shutdown().await.is_clean());
}

/// What the server delivers while the application gives its pull up is taken; lost, it would come again after `ack_wait`.
#[tokio::test]
async fn what_is_delivered_while_a_stalled_pull_is_given_up_is_not_lost() {
    const ONE_WAY: Duration = Duration::from_millis(200);
    let server = NatsServer::start().await;
    let proxy = Proxy::to(server.address()).await;
    let inspector = Inspector::connect(&server.url()).await;
    let app = App::builder().config(config(&proxy.url(), "stalls")).subscriber(orders {});
    let running = app.build().unwrap().start().await.unwrap();
    let nearby = Publisher::connect(config(&server.url(), "stalls")).await.unwrap();
    nearby.publish("order.created", &0_u32).await.unwrap();
    running.wait_until(|stats| stats.processed == 1, Duration::from_secs(10)).await.unwrap();
    pause(&inspector, "2100-01-01T00:00:00Z").await;
    nearby.publish("order.created", &1_u32).await.unwrap();
    proxy.set(Mode::Latency(ONE_WAY));
    eventually("the stall is noticed", Duration::from_secs(30), || {
        let problems = running.health().problems.join(", ");
        std::future::ready(problems.contains("none arrives").then_some(()))
    })
    .await;
    // The end of the pull is on its way to the server, which goes on before it hears of it.
    pause(&inspector, "2000-01-01T00:00:00Z").await;
    nearby.publish("order.created", &2_u32).await.unwrap();
    running.wait_until(|stats| stats.processed == 3, Duration::from_secs(10)).await.unwrap();
    assert!(running.shutdown().await.is_clean());
}
