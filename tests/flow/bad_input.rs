//! Goal: bad input gets a clear error, and nothing is sent or lost.

use std::time::{Duration, Instant};

use natspubsub::prelude::*;
use natspubsub::{ErrorKind, Storage};
use natspubsub_tests::{Inspector, NatsServer, config};

#[topic_subscriber("order.created")]
async fn on_order(order: serde_json::Value) {
    let _ = order;
}

#[topic_subscriber("order.created", durable = "bad-on_order")]
async fn has_the_same_durable(order: serde_json::Value) {
    let _ = order;
}

#[topic_subscriber("order.created")]
async fn wants_state(order: serde_json::Value, _: State<u8>) {
    let _ = order;
}

#[tokio::test]
async fn nothing_is_published_to_a_bad_topic() {
    let server = NatsServer::start().await;
    let publisher = Publisher::connect(config(&server.url(), "bad")).await.unwrap();
    for topic in [
        "order.*",
        "order.>",
        ">",
        "*",
        "order created",
        "",
        "order..created",
        ".order",
        "order.",
        "order.\u{e9}",
        "a\r\nb",
        "a\0",
        "$js.api",
        "{a}",
        &"a".repeat(300),
    ] {
        let error = publisher.publish(topic, &1).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidSubject, "{topic:?}: {error}");
    }
    // With its prefix the subject would be too long.
    assert_eq!(publisher.publish(&"a".repeat(250), &1).await.unwrap_err().kind(), &ErrorKind::InvalidSubject);
    assert_eq!(Inspector::connect(&server.url()).await.messages("test-bad-stream").await.len(), 0);
    assert_eq!(publisher.publish("Order.Created", &1).await.unwrap().subject, "test.bad.order.created");
}

#[tokio::test]
async fn a_message_too_large_for_the_server_names_size_and_limit() {
    let server = NatsServer::start_with("max_payload: 4096").await;
    let publisher = Publisher::connect(config(&server.url(), "bad")).await.unwrap();
    let error = publisher.publish("order.created", &"x".repeat(4_096)).await.unwrap_err();
    let &ErrorKind::PayloadTooLarge { size, limit } = error.kind() else { panic!("{error}") };
    assert!(size > 4_096 && limit == 4_096, "{size} {limit}");
    assert!(error.to_string().contains(&size.to_string()) && error.to_string().contains("4096"), "{error}");
    publisher.publish("order.created", &"x".repeat(3_000)).await.unwrap();
}

#[tokio::test]
async fn headers_that_command_the_server_or_break_the_protocol_are_refused() {
    let publisher = Publisher::connect(config("memory:headers", "bad")).await.unwrap();
    for (name, value) in [("Nats-Rollup", "all"), ("nats-msg-id", "x"), ("x", "a\r\nb"), ("x y", "1"), ("", "1")] {
        let error = publisher.message(&1).topic("order.created").header(name, value).publish().await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidHeader, "{name:?}: {error}");
    }
    for id in ["", "a b", "a\r\nNats-Rollup: all", &"x".repeat(129)] {
        assert!(publisher.message(&1).topic("order.created").event_id(id).publish().await.is_err(), "{id:?}");
    }
}

#[tokio::test]
async fn an_absent_server_is_tried_each_second_and_given_up_with_a_masked_address() {
    let config = Config::builder()
        .url("nats://me:hunter2@127.0.0.1:1")
        .env("test")
        .app("bad")
        .connect_timeout(Duration::from_millis(2_500))
        .build()
        .unwrap();
    let start = Instant::now();
    let error = App::builder().config(config).subscriber(on_order {}).build().unwrap().start().await.unwrap_err();
    let waited = start.elapsed();
    assert!(waited > Duration::from_millis(1_900) && waited < Duration::from_secs(5), "{waited:?}");
    assert_eq!(error.kind(), &ErrorKind::Connect);
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("nats://me:***@127.0.0.1:1") && text.contains("connect_timeout") && !text.contains("hunter2"),
        "{text}"
    );
}

#[tokio::test]
async fn a_wrong_password_ends_the_start_at_once() {
    let server = NatsServer::start_with("authorization { user: me, password: hunter2-right }").await;
    let (host, port) = server.address();
    let connect = |password: &str| {
        let url = format!("nats://me:{password}@{host}:{port}");
        Publisher::connect(Config::builder().url(url).env("test").app("bad").build().unwrap())
    };
    let start = Instant::now();
    let error = connect("hunter2-wrong").await.unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(3), "not tried again: {:?}", start.elapsed());
    assert_eq!(error.kind(), &ErrorKind::Connect);
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    connect("hunter2-right").await.unwrap().publish("order.created", &1).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_overlaps_is_named_with_the_subject() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let other = async_nats::jetstream::stream::Config {
        name: "LEGACY".into(),
        subjects: vec!["test.>".into()],
        ..Default::default()
    };
    inspector.jetstream.create_stream(other).await.unwrap();
    let error = App::builder()
        .config(config(&server.url(), "bad"))
        .subscriber(on_order {})
        .build()
        .unwrap()
        .start()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Start);
    let text = error.to_string();
    for part in ["2 fault(s)", "LEGACY", "test.bad.>", "test.dlq.bad.>"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(inspector.stream_names().await, ["LEGACY"], "nothing was changed");
}

#[test]
fn all_faults_of_the_declarations_come_at_once_with_their_places() {
    let builder =
        App::builder().config(config("memory:", "bad")).subscriber(on_order {}).subscriber(has_the_same_durable {});
    let text = builder.subscriber(wants_state {}).build().unwrap_err().to_string();
    for part in [
        "2 fault(s)",
        "wants_state takes State<u8>",
        "bad-on_order",
        "has_the_same_durable",
        "has_the_same_durable at tests/flow/bad_input.rs:",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(text.matches("tests/flow/bad_input.rs:").count(), 3, "{text}");
}

#[tokio::test]
async fn a_stream_that_cannot_be_changed_in_place_is_a_fault_that_names_the_field() {
    let server = NatsServer::start().await;
    Publisher::connect(config(&server.url(), "bad")).await.unwrap();
    let memory =
        Config::builder().url(server.url()).env("test").app("bad").stream_storage(Storage::Memory).build().unwrap();
    let error = Publisher::connect(memory).await.unwrap_err();
    assert!(error.to_string().contains("needs migration: storage file -> memory"), "{error}");
}
