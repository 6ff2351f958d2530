//! Goal: the stores in databases keep the rules of inbox and outbox. Method: real databases, each test with tables of its
//! own.

mod memory;
mod postgres;
mod postgres_inbox;
mod postgres_kept;
mod postgres_outbox;
mod postgres_speed;
mod several;
mod sqlite;
mod sqlite_settings;
mod transactions;

use natspubsub::store::OutboxMessage;

/// A message with a key.
fn message(id: &str, key: Option<&str>) -> OutboxMessage {
    OutboxMessage {
        event_id: id.into(),
        message_id: id.into(),
        subject: "test.shop.order.created".into(),
        key: key.map(Into::into),
        headers: [("Nats-Msg-Id", id), ("x-note", "gr\u{fc}n, \"quoted\""), ("x-note", "again")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .collect(),
        body: vec![0, 1, 2, 255].into(),
        delay: std::time::Duration::ZERO,
    }
}
