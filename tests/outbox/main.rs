//! Goal: what is committed to an outbox reaches its stream, once and in the order of its key, whatever dies. Method: real
//! PostgreSQL, real servers, several relays; the stream is compared with what was written.

mod outages;
mod speed;

use std::collections::BTreeMap;
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::store::{OutboxMessage, OutboxStore, PostgresStore, SqlStore};
use natspubsub::{Headers, RunningApp};
use natspubsub_tests::{Inspector, NatsServer, eventually};

const LIMIT: Duration = Duration::from_secs(60);
const STREAM: &str = "test-outbox-stream";

/// An application that relays and nothing else. Its leases are short, so that others soon take over.
async fn start(server: &NatsServer, store: &PostgresStore) -> RunningApp {
    let config = Config::builder().url(server.url()).env("test").app("outbox");
    let config = config.outbox_lease(Duration::from_secs(3)).build().unwrap();
    App::builder().config(config).store(store.clone()).publish_only().build().unwrap().start().await.unwrap()
}

fn message(key: u32, number: u32) -> OutboxMessage {
    let id = format!("k{key}-{number}");
    let headers: Headers = [("Nats-Msg-Id".to_owned(), id.clone())].into_iter().collect();
    OutboxMessage {
        event_id: id.clone(),
        message_id: id,
        subject: "test.outbox.order.created".into(),
        key: Some(format!("k{key}")),
        headers,
        body: b"{}".to_vec().into(),
        delay: Duration::ZERO,
    }
}

/// Writes messages in one transaction; `false` when the database did not take it.
async fn write(store: &PostgresStore, messages: &[OutboxMessage]) -> bool {
    let written = async {
        let mut transaction = store.begin().await.ok()?;
        store.write_messages(&mut transaction, messages).await.ok()?;
        transaction.commit().await.ok()
    };
    let is_written = written.await.is_some();
    store.ring();
    is_written
}

/// Waits until nothing waits in the outbox.
async fn drained(store: &PostgresStore) {
    eventually("the outbox is empty", LIMIT, || async {
        store.outbox_depth().await.ok().filter(|depth| depth.pending == 0)
    })
    .await;
}

/// The stream holds of each key 1, 2 and so on, each once.
async fn assert_complete(server: &NatsServer, count: usize) {
    let mut keys: BTreeMap<String, u32> = BTreeMap::new();
    let messages = Inspector::connect(&server.url()).await.messages(STREAM).await;
    for message in &messages {
        let id = message.headers.get("Nats-Msg-Id").unwrap().as_str();
        let (key, number) = id.split_once('-').unwrap();
        let last = keys.entry(key.to_owned()).or_default();
        let of_key: Vec<&str> = messages
            .iter()
            .filter_map(|message| message.headers.get("Nats-Msg-Id")?.as_str().strip_prefix(&format!("{key}-")))
            .collect();
        assert_eq!(number.parse::<u32>().unwrap(), *last + 1, "{key} is in order and whole: {of_key:?}");
        *last += 1;
    }
    assert_eq!(messages.len(), count);
}
