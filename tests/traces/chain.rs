//! Goal: one trace from an HTTP request through all services. Method: three processes; a request with a `traceparent`; what
//! they export is compared with the conventions for messaging.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::Services;
use crate::collector::Seen;

const ORDER: &str = "test.traced.order.created";
const PAYMENT: &str = "test.traced.payment.taken";

/// The line of spans that every way of publishing gives, and those beside it.
const COMPLETE: [(&str, usize); 9] = [
    ("request", 1),
    ("publish test.traced.order.created", 1),
    ("receive test.traced.order.created", 1),
    ("process test.traced.order.created", 1),
    ("publish test.traced.payment.taken", 1),
    ("process test.traced.payment.taken", 1),
    ("receive test.traced.payment.taken", 1),
    ("ack test.traced.order.created", 1),
    ("ack test.traced.payment.taken", 1),
];

fn assert_attributes(span: &Seen, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(span.attribute(name), *value, "{name} of {}", span.name);
    }
    for name in ["messaging.message.id", "messaging.message.body.size"] {
        assert!(!span.attribute(name).is_empty(), "{name} of {}", span.name);
    }
    assert!(!span.is_error && !span.attributes.contains_key("error.type"), "{span:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_and_all_that_follows_are_one_trace() {
    let mut services = Services::start().await;
    let (id, caller) = services.begin("plain").await;
    let trace = services.collector.trace(&id, &COMPLETE).await;
    let line = ["request", "publish test.traced.order.created", "process test.traced.order.created"];
    trace.assert_line(&line);
    let further = ["publish test.traced.payment.taken", "process test.traced.payment.taken"];
    trace.assert_line(&[line[2], further[0], further[1]]);
    assert_eq!(trace.one("request").parent, caller);
    for operation in ["receive", "ack"] {
        for (subject, publish) in [(ORDER, line[1]), (PAYMENT, further[0])] {
            let beside = trace.one(&format!("{operation} {subject}"));
            assert_eq!((beside.kind, &beside.parent), (SpanKind::Client, &trace.one(publish).id));
        }
    }
    let kinds = [&line[..], &further[..]].concat().into_iter().map(|name| trace.one(name).kind).collect::<Vec<_>>();
    let [server, producer, consumer] = [SpanKind::Server, SpanKind::Producer, SpanKind::Consumer];
    assert_eq!(kinds, [server, producer, consumer, producer, consumer]);
    let published = trace.one(line[1]);
    assert_attributes(
        published,
        &[
            ("service", "shop"),
            ("messaging.system", "nats"),
            ("messaging.operation.name", "publish"),
            ("messaging.operation.type", "send"),
            ("messaging.destination.name", ORDER),
        ],
    );
    let processed = trace.one(line[2]);
    assert_attributes(
        processed,
        &[
            ("service", "billing"),
            ("messaging.system", "nats"),
            ("messaging.operation.name", "process"),
            ("messaging.operation.type", "process"),
            ("messaging.destination.name", ORDER),
            ("messaging.consumer.group.name", "traced-take_payment"),
            ("messaging.nats.message.delivery_count", "1"),
            ("messaging.nats.message.attempt", "1"),
            ("messaging.message.id", published.attribute("messaging.message.id")),
            ("messaging.message.body.size", published.attribute("messaging.message.body.size")),
        ],
    );
    assert_eq!(trace.one(further[1]).attribute("service"), "shipping");
    services.stop().await;
    services.assert_nowhere("hunter2");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_task_of_a_handler_publishes_belongs_to_the_handler() {
    let services = Services::start().await;
    let (id, _) = services.begin("spawned").await;
    let trace = services.collector.trace(&id, &COMPLETE).await;
    trace.assert_line(&["process test.traced.order.created", "publish test.traced.payment.taken"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_the_outbox_keeps_the_context_of_its_writing() {
    let services = Services::start().await;
    let (id, _) = services.begin("outbox").await;
    let relayed = [&COMPLETE[..], &[("create test.traced.order.created", 1)]].concat();
    let trace = services.collector.trace(&id, &relayed).await;
    trace.assert_line(&["request", "create test.traced.order.created", "process test.traced.order.created"]);
    trace.assert_line(&["create test.traced.order.created", "publish test.traced.order.created"]);
    let created = trace.one("create test.traced.order.created");
    assert_eq!((created.kind, created.attribute("messaging.operation.type")), (SpanKind::Producer, "create"));
    assert_eq!(trace.one("publish test.traced.order.created").kind, SpanKind::Client, "the relay's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_of_many_subjects_names_its_spans_by_the_pattern() {
    let services = Services::start().await;
    let (id, _) = services.begin("wild").await;
    let trace = services.collector.trace(&id, &[("process test.traced.refund.*", 1)]).await;
    let processed = trace.one("process test.traced.refund.*");
    assert_eq!(processed.attribute("messaging.destination.template"), "test.traced.refund.*");
    assert_eq!(processed.attribute("messaging.destination.name"), "test.traced.refund.late");
}
