//! Goal: what is published is what the wire format says, is stored once, and keeps its cause.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::{ErrorKind, WireHeaders};
use natspubsub_tests::{Inspector, NatsServer, config};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(topic = "order.created")]
struct OrderCreated {
    order_id: String,
}

#[tokio::test]
async fn an_event_is_stored_as_the_wire_format_says() {
    let server = NatsServer::start().await;
    let publisher = Publisher::connect(config(&server.url(), "wire")).await.unwrap();
    let published = publisher.send(&OrderCreated { order_id: "ORD-1".into() }).await.unwrap();
    assert_eq!(
        (published.subject.as_str(), published.stream.as_str()),
        ("test.wire.order.created", "test-wire-stream")
    );
    assert_eq!((published.sequence, published.duplicate), (1, false));

    let stored = Inspector::connect(&server.url()).await.messages("test-wire-stream").await.remove(0);
    let envelope: serde_json::Value = serde_json::from_slice(&stored.payload).unwrap();
    let keys: Vec<&String> = envelope.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 7, "{envelope}");
    assert_eq!(envelope["event_id"], published.event_id);
    assert_eq!(envelope["schema_version"], 1);
    assert_eq!(envelope["topic"], "order.created");
    assert_eq!(envelope["message_type"], "OrderCreated");
    assert_eq!(envelope["producer"], "wire");
    assert_eq!(envelope["message"], serde_json::json!({ "order_id": "ORD-1" }));
    let occurred_at = envelope["occurred_at"].as_str().unwrap();
    assert!(occurred_at.len() == "2026-01-02T03:04:05.678Z".len() && occurred_at.ends_with('Z'), "{occurred_at}");
    assert_eq!(stored.headers.len(), 1, "compact: the message id and nothing else");
    assert_eq!(stored.headers.get("Nats-Msg-Id").unwrap().as_str(), published.event_id);
}

#[tokio::test]
async fn full_headers_are_those_of_the_other_implementations() {
    let server = NatsServer::start().await;
    let config =
        Config::builder().url(server.url()).env("test").app("full").wire_headers(WireHeaders::Full).build().unwrap();
    Publisher::connect(config).await.unwrap().publish("order.created", &1).await.unwrap();
    let stored = Inspector::connect(&server.url()).await.messages("test-full-stream").await.remove(0);
    assert_eq!(stored.headers.get("topic").unwrap().as_str(), "order.created");
    assert!(stored.headers.get("Nats-Published-At").is_some());
}

#[tokio::test]
async fn the_same_event_id_is_stored_once() {
    let server = NatsServer::start().await;
    for url in [server.url(), "memory:once".to_owned()] {
        let publisher = Publisher::connect(config(&url, "once")).await.unwrap();
        let publish = || publisher.message("ORD-1").topic("order.created").event_id("order-1").publish();
        let (first, second) = (publish().await.unwrap(), publish().await.unwrap());
        assert_eq!((first.sequence, first.duplicate), (1, false), "{url}");
        assert_eq!((second.sequence, second.duplicate), (1, true), "{url}");
    }
}

type Seen = Arc<Mutex<Vec<(String, Metadata)>>>;

#[topic_subscriber("order.created")]
async fn reserves(order: OrderCreated, publisher: Publisher) -> Result<()> {
    publisher.publish("stock.reserved", &order.order_id).await?;
    Ok(())
}

#[topic_subscriber("stock.reserved")]
async fn listens(order_id: String, ctx: Context, metadata: Metadata, State(seen): State<Seen>) {
    seen.lock().unwrap().push((format!("{order_id} {}", ctx.topic()), metadata));
}

#[tokio::test]
async fn a_publisher_in_a_handler_keeps_correlation_and_names_its_cause() {
    let server = NatsServer::start().await;
    for url in [server.url(), "memory:cause".to_owned()] {
        let seen = Seen::default();
        let app = App::builder()
            .config(config(&url, "cause"))
            .state(seen.clone())
            .subscriber(reserves {})
            .subscriber(listens {});
        let running = app.build().unwrap().start().await.unwrap();
        let order = OrderCreated { order_id: "ORD-1".into() };
        let message =
            running.publisher().message(&order).topic("order.created").event_id("order-1").correlation_id("checkout-7");
        message.publish().await.unwrap();
        running.wait_until(|stats| stats.processed == 2, Duration::from_secs(20)).await.unwrap();
        running.shutdown().await;
        let (what, metadata) = seen.lock().unwrap().remove(0);
        assert_eq!(what, "ORD-1 stock.reserved");
        assert_eq!(metadata.correlation_id.as_deref(), Some("checkout-7"));
        assert_eq!(metadata.causation_id.as_deref(), Some("order-1"));
    }
}

#[tokio::test]
async fn a_publish_without_a_stream_is_certainly_not_stored() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let publisher = Publisher::connect(config(&server.url(), "gone")).await.unwrap();
    inspector.jetstream.delete_stream("test-gone-stream").await.unwrap();
    let error = publisher.publish("order.created", &1).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Rejected, "{error}");
    assert!(error.to_string().contains("not stored"), "{error}");
}
