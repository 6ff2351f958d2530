//! Goal: two applications live in one environment without seeing each other's messages or dead letters.

use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config};

#[topic_subscriber("item.created", max_attempts = 1)]
async fn on_item(owner: String, State(app): State<String>) -> Result<(), Failure> {
    assert_eq!(owner, app, "a message of the other application");
    Err(Failure::permanent("on purpose"))
}

#[tokio::test]
async fn two_applications_share_an_environment() {
    let server = NatsServer::start().await;
    let mut running = Vec::new();
    for app in ["orders", "payments"] {
        let builder = App::builder().config(config(&server.url(), app)).state(app.to_owned()).subscriber(on_item {});
        running.push((app, builder.build().unwrap().start().await.unwrap()));
    }
    for (app, running) in &running {
        for _ in 0..10 {
            running.publisher().publish("item.created", app).await.unwrap();
        }
    }
    let inspector = Inspector::connect(&server.url()).await;
    for (app, running) in running {
        running.wait_until(|stats| stats.dead_lettered == 10, Duration::from_secs(20)).await.unwrap();
        assert_eq!(running.stats().received, 10);
        running.shutdown().await;
        assert_eq!(inspector.messages(&format!("test-{app}-dlq")).await.len(), 10);
    }
    let streams = [
        "KV_test-orders-releases",
        "KV_test-payments-releases",
        "test-orders-advisories",
        "test-orders-dlq",
        "test-orders-stream",
        "test-payments-advisories",
        "test-payments-dlq",
        "test-payments-stream",
    ];
    assert_eq!(inspector.stream_names().await, streams);
}

/// `prod` + `eu-orders` and `prod-eu` + `orders` give one stream name.
#[tokio::test]
async fn an_application_never_takes_over_the_stream_of_another() {
    let server = NatsServer::start().await;
    let connect = async |env: &str, app: &str| {
        Publisher::connect(Config::builder().url(server.url()).env(env).app(app).build().unwrap()).await
    };
    let first = connect("prod", "eu-orders").await.unwrap();
    let text = connect("prod-eu", "orders").await.unwrap_err().to_string();
    assert!(text.contains("belongs to another application") && text.contains("prod.eu-orders.>"), "{text}");
    first.publish("order.created", &1).await.unwrap();
}
