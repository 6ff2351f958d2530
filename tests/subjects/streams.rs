//! Goal: a declared stream is made as it was declared, kept so, and left alone where nothing was declared; a stream that
//! cannot be made is a fault with the place of its declaration. Method: starts against a real server, whose own words
//! are compared.

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, unique};
use serde_json::{Value, json};

#[stream(
    name = "RIDES_ALL",
    subjects = ["rides.*.done", "rides.*.paid"],
    description = "what rides have come to",
    retention = "interest",
    storage = "memory",
    max_age = "1h",
    duplicate_window = "5m",
    max_messages = 1_000,
    max_messages_per_subject = 10,
    max_bytes = "10MiB",
    max_message_size = "1KiB",
    max_consumers = 7,
    discard = "new",
    discard_new_per_subject = true,
    compression = "none",
    first_sequence = 100,
    deny_delete = true,
    deny_purge = true,
    allow_direct = true,
    allow_message_ttl = true,
    republish(from = "rides.*.done", to = "live.{{wildcard(1)}}"),
)]
struct RidesAll;

#[stream(name = "RIDES_PLAIN", subjects = ["plain.>"], max_age = "1m")]
struct RidesPlain;

#[stream(name = "RIDES_COPY", mirror = "RIDES_PLAIN")]
struct RidesCopy;

#[stream(name = "RIDES_GATHERED", sources = ["RIDES_PLAIN"], max_age = "none", placement_cluster = "C1")]
struct RidesGathered;

/// The same name as another, and a name that every application has.
mod again {
    use natspubsub::prelude::*;

    #[stream(name = "RIDES_PLAIN", subjects = ["again.>"])]
    pub(super) struct PlainAgain;

    #[stream(name = "test-rides-dlq", subjects = ["letters.>"])]
    pub(super) struct Letters;

    #[stream(name = "RIDES_WINDOW", subjects = ["window.>"], duplicate_window = "8d")]
    pub(super) struct Window;

    #[stream(name = "RIDES_OTHER", subjects = ["plain.other"])]
    pub(super) struct Overlaps;
}

fn all() -> natspubsub::AppBuilder {
    let builder = App::builder().publish_only();
    builder.stream(RidesAll).stream(RidesPlain).stream(RidesCopy).stream(RidesGathered)
}

async fn start(url: &str, builder: natspubsub::AppBuilder) -> Result<natspubsub::RunningApp> {
    builder.config(config(url, "rides")).build()?.start().await
}

async fn configuration(inspector: &Inspector, stream: &str) -> Value {
    let info: Value = inspector.jetstream.request(format!("STREAM.INFO.{stream}"), &()).await.unwrap();
    info["config"].clone()
}

/// What stands in `expected` stands in `found` too.
fn contains(found: &Value, expected: &Value) {
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&found[field], value, "{field} of {found}");
    }
}

#[tokio::test]
async fn a_stream_is_made_as_it_was_declared() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let running = start(&server.url(), all()).await.unwrap();
    let report = running.report().to_owned();
    running.shutdown().await;
    assert!(
        report.contains("stream RIDES_ALL: rides.*.done, rides.*.paid (interest, memory) tests/subjects/streams.rs:"),
        "{report}"
    );
    let second = 1_000_000_000_u64;
    contains(
        &configuration(&inspector, "RIDES_ALL").await,
        &json!({
            "subjects": ["rides.*.done", "rides.*.paid"], "description": "what rides have come to",
            "retention": "interest", "storage": "memory", "max_age": 3_600 * second, "duplicate_window": 300 * second,
            "max_msgs": 1_000, "max_msgs_per_subject": 10, "max_bytes": 10 << 20, "max_msg_size": 1_024,
            "max_consumers": 7, "discard": "new", "discard_new_per_subject": true, "compression": "none",
            "first_seq": 100, "deny_delete": true, "deny_purge": true, "allow_direct": true, "allow_msg_ttl": true,
            "republish": { "src": "rides.*.done", "dest": "live.{{wildcard(1)}}" }, "num_replicas": 1,
        }),
    );
    contains(
        &configuration(&inspector, "RIDES_PLAIN").await,
        &json!({
            "retention": "limits", "storage": "file", "discard": "old", "max_age": 60 * second,
            "duplicate_window": 60 * second, "max_msgs": -1, "allow_direct": false,
        }),
    );
    let copy = configuration(&inspector, "RIDES_COPY").await;
    contains(&copy, &json!({ "mirror": { "name": "RIDES_PLAIN" }, "max_age": 7 * 24 * 3_600 * second }));
    let gathered = configuration(&inspector, "RIDES_GATHERED").await;
    contains(
        &gathered,
        &json!({ "sources": [{ "name": "RIDES_PLAIN" }], "max_age": 0, "placement": { "cluster": "C1" } }),
    );
}

#[tokio::test]
async fn a_second_start_changes_nothing_and_what_was_not_declared_survives() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let names = ["RIDES_ALL", "RIDES_PLAIN", "RIDES_COPY", "RIDES_GATHERED"];
    let read = async || futures::future::join_all(names.map(|name| configuration(&inspector, name))).await;
    start(&server.url(), all()).await.unwrap().shutdown().await;
    let mut by_hand = configuration(&inspector, "RIDES_PLAIN").await;
    by_hand["max_msgs"] = json!(77);
    by_hand["max_age"] = json!(90_000_000_000_u64);
    let _: Value = inspector.jetstream.request("STREAM.UPDATE.RIDES_PLAIN".to_owned(), &by_hand).await.unwrap();
    start(&server.url(), all()).await.unwrap().shutdown().await;
    let once = read().await;
    contains(&once[1], &json!({ "max_msgs": 77, "max_age": 60_000_000_000_u64 }));
    start(&server.url(), all()).await.unwrap().shutdown().await;
    assert_eq!(read().await, once);
}

#[tokio::test]
async fn a_stream_is_left_out_when_others_are_named() {
    let url = format!("memory:{}", unique("streams"));
    let running = start(&url, App::builder().publish_only().stream(RidesPlain)).await.unwrap();
    assert_eq!(running.publisher().subject("plain.a").send(&1).await.unwrap().stream, "RIDES_PLAIN");
    let refused = running.publisher().subject("rides.7.done").send(&1).await.unwrap_err().to_string();
    assert!(refused.contains("no stream takes this subject"), "{refused}");
    assert!(running.report().contains("linked stream(s) left out"), "{}", running.report());
    running.shutdown().await;
}

#[test]
fn all_faults_are_told_at_once_with_their_places() {
    let builder = all().stream(again::PlainAgain).stream(again::Letters).stream(again::Window);
    let faults = builder.config(config("memory:", "rides")).build().unwrap_err().to_string();
    let expected = [
        "3 fault(s)",
        "PlainAgain: the stream \"RIDES_PLAIN\" is declared at tests/subjects/streams.rs:",
        "Letters: the stream \"test-rides-dlq\" is one that the application has without a declaration",
        "Window: duplicate_window 8d is longer than max_age 7d, which comes from stream_max_age",
    ];
    for text in expected {
        assert!(faults.contains(text), "{text} in\n{faults}");
    }
}

#[tokio::test]
async fn a_stream_that_cannot_be_made_is_named_with_its_place_and_nothing_is_written() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    start(&server.url(), App::builder().publish_only().stream(RidesPlain)).await.unwrap().shutdown().await;
    let before = inspector.stream_names().await;
    let builder = App::builder().publish_only().stream(again::Overlaps).stream(RidesAll);
    let fault = start(&server.url(), builder).await.unwrap_err().to_string();
    assert!(fault.contains("tests/subjects/streams.rs:") && fault.contains("Overlaps: "), "{fault}");
    assert!(fault.contains("plain.other") && fault.contains("RIDES_PLAIN"), "{fault}");
    assert_eq!(inspector.stream_names().await, before);
}
