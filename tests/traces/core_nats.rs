//! Goal: core NATS is in the trace too. Method: a request, whose responder tells others.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::Services;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_its_responder_and_its_listener_are_one_trace() {
    let services = Services::start().await;
    let (id, _) = services.begin("core").await;
    let line = ["request", "request price.of", "process price.of", "publish price.seen", "process price.seen"];
    let trace = services.collector.trace(&id, &line.map(|name| (name, 1))).await;
    trace.assert_line(&line);
    assert_eq!(trace.one("request price.of").kind, SpanKind::Producer);
    let (told, heard) = (trace.one("publish price.seen"), trace.one("process price.seen"));
    assert_eq!(heard.attribute("messaging.consumer.group.name"), "watchers");
    let size = "messaging.message.body.size";
    assert_eq!(heard.attribute(size), told.attribute(size), "the bytes on the wire");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_without_an_envelope_is_in_the_trace_too() {
    let services = Services::start().await;
    let (id, _) = services.begin("bare").await;
    let line = ["request", "publish price.bare", "process price.bare"];
    services.collector.trace(&id, &line.map(|name| (name, 1))).await.assert_line(&line);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_nobody_answers_is_an_error() {
    let services = Services::start().await;
    let (id, _) = services.begin("nobody").await;
    let trace = services.collector.trace(&id, &[("request price.nobody", 1), ("request", 1)]).await;
    let asked = trace.one("request price.nobody");
    assert_eq!((asked.is_error, asked.attribute("error.type")), (true, "no_responders"));
}
