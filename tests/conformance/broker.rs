//! A broker under test, with the steps that most behaviours begin with.

use std::ops::Deref;
use std::time::Duration;

use natspubsub::__port::{Answered, FaultKind, Port, Stored};
use natspubsub_tests::{NatsServer, record_logs, unique};
use serde_json::{Value, json};

use crate::features::Feature;
use crate::taker::Taker;

/// The stream that a behaviour is about.
pub(crate) const S: &str = "S";

/// Milliseconds as the server writes times.
pub(crate) const fn ms(count: u64) -> u64 {
    count * 1_000_000
}

/// A broker that nobody else uses, and a connection to it.
pub(crate) struct Broker {
    url: String,
    port: Port,
    /// None of the broker inside the process, and of a broker beside another one.
    pub(crate) server: Option<NatsServer>,
}

impl Deref for Broker {
    type Target = Port;

    fn deref(&self) -> &Port {
        &self.port
    }
}

impl Broker {
    /// Inside the process.
    pub(crate) async fn memory() -> Self {
        record_logs();
        Self::at(format!("memory:{}", unique("conformance")), None).await
    }

    /// A nats-server.
    pub(crate) async fn server() -> Self {
        let server = NatsServer::start().await;
        Self::at(server.url(), Some(server)).await
    }

    async fn at(url: String, server: Option<NatsServer>) -> Self {
        let port = Port::connect(&url).await.expect("the broker is there");
        Self { url, port, server }
    }

    /// For what runs at the same time: the same broker again.
    pub(crate) async fn beside(&self) -> Self {
        Self::at(self.url.clone(), None).await
    }

    /// Where applications connect.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Another connection.
    pub(crate) async fn second(&self) -> Port {
        Port::connect(&self.url).await.expect("the broker is there")
    }

    /// Whether the broker has something.
    pub(crate) fn models(&self, feature: Feature) -> bool {
        match self.server {
            Some(_) => feature.is_on_server(|major, minor| self.port.is_at_least(major, minor)),
            None => feature.is_in_memory(),
        }
    }

    /// Creates the stream `S` on `a.>`, with other fields.
    pub(crate) async fn make_stream(&self, fields: Value) {
        self.create_stream(stream(fields)).await.expect("the stream is made");
    }

    /// Creates a durable of the stream `S`, with other fields.
    pub(crate) async fn make_consumer(&self, name: &str, fields: Value) {
        self.create_consumer(S, consumer(name, fields)).await.expect("the consumer is made");
    }

    /// The same, and opens a pull of it.
    pub(crate) async fn taker(&self, name: &str, fields: Value) -> Taker {
        self.make_consumer(name, fields).await;
        Taker::open(&self.port, S, name).await
    }

    /// Publishes a message and returns its number.
    pub(crate) async fn put(&self, subject: &str) -> u64 {
        self.publish(subject, &[], b"x").await.expect("the message is stored").sequence
    }

    /// Publishes a message with a header.
    pub(crate) async fn put_with(&self, subject: &str, header: &str, value: &str) -> Answered<Stored> {
        self.publish(subject, &[(header, value)], b"x").await
    }

    /// The numbers of the messages that the stream `S` holds.
    pub(crate) async fn held(&self) -> Vec<u64> {
        let mut held = Vec::new();
        while let Some(next) =
            self.stored_after(S, held.last().copied().unwrap_or(0)).await.expect("the stream is read")
        {
            held.push(next.sequence);
        }
        held
    }

    /// Waits until the stream `S` holds exactly these messages.
    pub(crate) async fn wait_for(&self, numbers: &[u64]) {
        let what = format!("the stream holds {numbers:?}");
        natspubsub_tests::eventually(&what, Duration::from_secs(5), async || {
            (self.held().await == numbers).then_some(())
        })
        .await;
    }
}

/// The configuration of the stream `S` on `a.>`, with other fields.
pub(crate) fn stream(fields: Value) -> Value {
    with(json!({ "name": S, "subjects": ["a.>"], "storage": "memory" }), fields)
}

/// The configuration of a durable with explicit acknowledgement, with other fields.
pub(crate) fn consumer(name: &str, fields: Value) -> Value {
    with(json!({ "name": name, "durable_name": name, "ack_policy": "explicit" }), fields)
}

/// Sets fields; `null` removes one.
pub(crate) fn with(mut config: Value, fields: Value) -> Value {
    let (Value::Object(into), Value::Object(fields)) = (&mut config, fields) else { panic!("fields are an object") };
    for (name, value) in fields {
        match value {
            Value::Null => into.remove(&name),
            value => into.insert(name, value),
        };
    }
    config
}

/// The number and the words of a refusal.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(answered: Answered<T>, code: u32, words: &str) {
    let fault = answered.expect_err("it is refused");
    assert_eq!(fault.code, Some(code), "{fault:?}");
    assert!(fault.text.contains(words), "{fault:?} has the words {words:?}");
}

/// As [`refused`], of a message that is certainly not stored.
#[track_caller]
pub(crate) fn rejected(answered: Answered<Stored>, code: u32, words: &str) {
    assert_eq!(answered.as_ref().expect_err("it is refused").kind, FaultKind::Rejected, "{answered:?}");
    refused(answered, code, words);
}
