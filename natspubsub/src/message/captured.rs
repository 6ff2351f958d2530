//! Goal: messages of the original implementations are read. Method: each of their publishes, as bytes, against what it
//! means.
//!
//! `fixtures/typescript.json` was captured from the TypeScript package of the public project nats-pubsub 1.0.0;
//! `fixtures/ruby.json` holds the shapes of its Ruby package, read from its code, with values filled in.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;

use super::{Context, EnvelopeIn, Headers, INFLATE_MAX, Origin};
use crate::subject::Namespace;

const TYPESCRIPT: &str = include_str!("fixtures/typescript.json");
const RUBY: &str = include_str!("fixtures/ruby.json");

#[derive(Deserialize)]
struct Captured<T> {
    cases: BTreeMap<String, T>,
}

#[derive(Deserialize)]
struct Sent {
    subject: String,
    headers: BTreeMap<String, Vec<String>>,
    payload_base64: Option<String>,
    /// Of the shapes that were not captured.
    payload_utf8: Option<String>,
}

/// Event id, subject, topic, time, trace, body.
type Meaning<'a> = (&'a str, &'a str, &'a str, &'a str, Option<&'a str>, &'a str);

impl Sent {
    fn headers(&self) -> Headers {
        let pairs = self.headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        pairs.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn body(&self) -> Bytes {
        match (&self.payload_base64, &self.payload_utf8) {
            (Some(text), None) => STANDARD.decode(text).unwrap().into(),
            (None, Some(text)) => Bytes::copy_from_slice(text.as_bytes()),
            _ => panic!("{} has one payload", self.subject),
        }
    }

    /// The context of the message, and its body, as a handler gets them.
    fn read(&self, app: &str) -> (Context, Bytes) {
        let namespace = Namespace::new("production", app).unwrap();
        let topic = namespace.topic(&self.subject).len();
        let envelope = EnvelopeIn::read(&self.body(), &self.headers(), INFLATE_MAX).unwrap();
        let context = Context::new(Origin {
            event_id: envelope.event_id.unwrap(),
            topic_at: self.subject.len() - topic,
            subject: self.subject.clone(),
            occurred_at: envelope.occurred_at,
            trace_id: envelope.trace_id,
            headers: self.headers(),
            metadata: envelope.metadata,
            subscriber: "s".into(),
            durable: "d".into(),
            stream: "production-events-stream".into(),
            sequence: 1,
            deliveries: 1,
            max_attempts: 5,
            ack_wait: std::time::Duration::from_secs(30),
            stored_at: jiff::Timestamp::UNIX_EPOCH,
        });
        (context, envelope.body)
    }

    /// The application is what the message must have been read by: the second token.
    fn assert_means(&self, case: &str, (id, subject, topic, at, trace, body): Meaning<'_>) {
        let app = subject.split('.').nth(1).unwrap();
        let (context, read) = self.read(app);
        assert_eq!(context.event_id(), id, "{case}");
        assert_eq!((context.subject(), context.topic()), (subject, topic), "{case}");
        assert_eq!(context.occurred_at(), Some(at.parse().unwrap()), "{case}");
        assert_eq!(context.trace_id(), trace, "{case}");
        assert_eq!(std::str::from_utf8(&read).unwrap(), body, "{case}");
        assert_eq!(context.headers().get("Nats-Msg-Id"), Some(id), "{case}");
    }
}

fn assert_mean(sent: &BTreeMap<String, Vec<Sent>>, case: &str, meanings: &[Meaning<'_>]) {
    let sent = &sent[case];
    assert_eq!(sent.len(), meanings.len(), "{case}");
    sent.iter().zip(meanings).for_each(|(sent, meaning)| sent.assert_means(case, *meaning));
}

#[rustfmt::skip] // One message a line.
const MEANINGS: [(&str, &[Meaning<'static>]); 16] = [
    ("topic_simple", &[("5ad22079-7a07-4aff-a0c0-32555d1026de", "production.orders.order.created", "order.created", "2026-11-20T23:17:20.301Z", None, r#"{"order_id":"ORD-1","total":99.5}"#)]),
    ("topic_all_options", &[("evt-2", "production.orders.order.created", "order.created", "2026-01-02T03:04:05.678Z", Some("trace-2"), r#"{"order_id":"ORD-2"}"#)]),
    ("topic_same_event_id_again_duplicate", &[("evt-2", "production.orders.order.created", "order.created", "2026-11-20T23:17:20.373Z", None, r#"{"order_id":"ORD-2b"}"#)]),
    ("topic_needs_normalising", &[("109ec6b7-c070-40e3-9570-aa69868c92d6", "production.orders.order_created_.s_o_v2", "order_created_.s_o_v2", "2026-11-20T23:17:20.406Z", None, r#"{"a":1}"#)]),
    ("topic_with_wildcard_published_literally", &[("bdf17943-f5bf-4753-9944-a34f807cbb4a", "production.orders.order.*", "order.*", "2026-11-20T23:17:20.438Z", None, r#"{"a":1}"#)]),
    ("domain_resource_action", &[("evt-dra", "production.orders.users.user.created", "users.user.created", "2026-01-02T03:04:05.678Z", Some("tr"), r#"{"id":123,"name":"Ann"}"#)]),
    ("multi_topic", &[
        ("64ea5c1e-e8ff-49a5-86aa-f10b900f5102", "production.orders.a.one", "a.one", "2026-11-20T23:17:20.503Z", None, r#"{"x":1}"#),
        ("b76ae61d-d12d-47e9-9265-a0d2d2444cab", "production.orders.b.two", "b.two", "2026-11-20T23:17:20.504Z", None, r#"{"x":1}"#),
    ]),
    ("multi_topic_with_event_id", &[
        ("evt-multi", "production.orders.a.one", "a.one", "2026-11-20T23:17:20.536Z", None, r#"{"x":1}"#),
        ("evt-multi", "production.orders.b.two", "b.two", "2026-11-20T23:17:20.536Z", None, r#"{"x":1}"#),
    ]),
    ("fluent_batch", &[
        ("1348d293-aa68-4005-8670-9c4c36a3a6ea", "production.orders.user.created", "user.created", "2026-11-20T23:17:20.569Z", Some("batch-123"), r#"{"id":1}"#),
        ("7de72dde-daa4-4495-b81b-652d80d0e616", "production.orders.notification.sent", "notification.sent", "2026-11-20T23:17:20.569Z", Some("batch-123"), r#"{"userId":1}"#),
    ]),
    ("fluent_batch_with_documented_traceId_key", &[("121d6118-9a00-440d-8aee-f96646c2fafb", "production.orders.user.created", "user.created", "2026-11-20T23:17:20.601Z", None, r#"{"id":1}"#)]),
    ("batch_publisher", &[
        ("a0740c16-e6a0-4ad6-b78f-b82fb5b0394b", "production.orders.users.user.created", "users.user.created", "2026-11-20T23:17:20.634Z", None, r#"{"id":1}"#),
        ("5e4aaafc-8404-49bd-b366-a4f7e6ceca2e", "production.orders.users.user.updated", "users.user.updated", "2026-11-20T23:17:20.634Z", None, r#"{"id":2}"#),
    ]),
    ("invalid_message_array", &[]),
    ("empty_topic", &[]),
    ("too_large", &[]),
    ("just_under_limit_but_envelope_pushes_over", &[]),
    ("app_outside_stream", &[("69604d5e-b09b-495d-a2ec-a3aab5924c6c", "production.billing.x.y", "x.y", "2026-11-20T23:17:20.804Z", None, r#"{"a":1}"#)]),
];

#[test]
fn every_publish_of_the_typescript_package_is_read() {
    let captured: Captured<Vec<Sent>> = serde_json::from_str(TYPESCRIPT).unwrap();
    let named: Vec<&str> = captured.cases.keys().map(String::as_str).collect();
    let mut expected = MEANINGS.map(|(case, _)| case);
    expected.sort_unstable();
    assert_eq!(named, expected);
    for (case, meanings) in MEANINGS {
        assert_mean(&captured.cases, case, meanings);
    }
    let silent = MEANINGS.iter().filter(|(_, meanings)| meanings.is_empty()).map(|(case, _)| *case);
    assert_eq!(
        silent.collect::<Vec<_>>(),
        ["invalid_message_array", "empty_topic", "too_large", "just_under_limit_but_envelope_pushes_over"]
    );
}

#[test]
fn every_shape_of_the_ruby_package_is_read() {
    let shapes: Captured<Sent> = serde_json::from_str(RUBY).unwrap();
    assert_eq!(shapes.cases.len(), 4);
    let (at, trace) = ("2026-01-02T03:04:05Z", Some("0123456789abcdef"));
    let order = r#"{"order_id":"ORD-1"}"#;
    let id = |last: char| format!("6f9619ff-8b86-4d01-b42d-00cf4fc964f{last}");
    for (case, id, topic, body) in [
        ("topic_publish", id('f'), "order.created", order),
        ("topic_publish_with_optional_fields", id('e'), "users.user.created", r#"{"id":123}"#),
        // Without a topic; the subject has it.
        ("domain_resource_action_publish", id('d'), "users.user.created", r#"{"id":123,"name":"Ann"}"#),
        ("dlq_publish", id('f'), "dlq", order),
    ] {
        let subject = format!("production.orders.{topic}");
        shapes.cases[case].assert_means(case, (&id, &subject, topic, at, trace, body));
    }
}
