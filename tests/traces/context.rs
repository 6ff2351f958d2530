//! Goal: the sampling flag is respected, and baggage travels only when it is asked for. Method: look at the messages on the
//! server, from outside.

use async_nats::jetstream::message::StreamMessage;
use natspubsub_tests::eventually;
use std::time::Duration;

use crate::{Services, begun_by};

const LIMIT: Duration = Duration::from_secs(30);
const STREAM: &str = "test-traced-stream";

/// The first message whose subject ends so.
async fn stored(services: &Services, end: &str) -> StreamMessage {
    let inspector = services.inspector().await;
    eventually("the message is stored", LIMIT, || async {
        inspector.messages(STREAM).await.into_iter().find(|message| message.subject.ends_with(end))
    })
    .await
}

fn header(message: &StreamMessage, name: &str) -> String {
    message.headers.get(name).map(ToString::to_string).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_is_not_sampled_travels_unsampled_and_is_not_exported() {
    let mut services = Services::start().await;
    let (trace, span) = begun_by("unsampled");
    services.begin_with("plain", &format!("traceparent: 00-{trace}-{span}-00\r\ntracestate: vendor=a")).await;
    let payment = stored(&services, "payment.taken").await;
    let parent = header(&payment, "traceparent");
    assert!(parent.starts_with(&format!("00-{trace}-")) && parent.ends_with("-00"), "{parent}");
    assert_eq!(header(&payment, "tracestate"), "vendor=a");
    services.stop().await;
    assert!(services.collector.all().is_empty(), "{:?}", services.collector.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_envelope_names_trace_and_span() {
    let services = Services::start().await;
    let (trace, _) = services.begin("plain").await;
    let payment = stored(&services, "payment.taken").await;
    let body: serde_json::Value = serde_json::from_slice(&payment.payload).unwrap();
    let (parent, metadata) = (header(&payment, "traceparent"), &body["metadata"]);
    assert_eq!(metadata["trace_id"], trace.as_str());
    assert_eq!(parent, format!("00-{trace}-{}-01", metadata["span_id"].as_str().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_spans_are_switched_off_the_context_passes_on() {
    let services = Services::start_with(&[("TRACED_SPANS", "off")]).await;
    let (trace, span) = begun_by("off");
    // Nothing here reads the header, so that the first message has none; one from outside brings it.
    let subject = "test.traced.order.created";
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("traceparent", format!("00-{trace}-{span}-01"));
    let body = br#"{"event_id":"e-1","message":{"order_id":"ORD-1","how":"plain"}}"#.to_vec();
    let inspector = services.inspector().await;
    inspector.jetstream.publish_with_headers(subject, headers, body.into()).await.unwrap().await.unwrap();
    let payment = stored(&services, "payment.taken").await;
    assert_eq!(header(&payment, "traceparent"), format!("00-{trace}-{span}-01"));
}

#[tokio::test(flavor = "multi_thread")]
async fn baggage_travels_only_when_it_is_asked_for_and_is_not_written_down() {
    for (setting, bird) in [("false", ""), ("true", "blue-heron")] {
        let mut services = Services::start_with(&[("NATSPUBSUB_BAGGAGE", setting)]).await;
        let (trace, span) = begun_by("baggage");
        let headers = format!("traceparent: 00-{trace}-{span}-01\r\nbaggage: bird=blue-heron");
        services.begin_with("baggage", &headers).await;
        let sent = if bird.is_empty() { String::new() } else { format!("bird={bird}") };
        for end in ["order.created", "payment.taken"] {
            assert_eq!(header(&stored(&services, end).await, "baggage"), sent, "{end} with baggage = {setting}");
        }
        let seen = stored(&services, "bird.seen").await;
        let body: serde_json::Value = serde_json::from_slice(&seen.payload).unwrap();
        assert_eq!(body["message"], bird, "what the handler reads with baggage = {setting}");
        services.stop().await;
        services.assert_nowhere("blue-heron");
    }
}
