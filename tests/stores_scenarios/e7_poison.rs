//! Goal: messages that can never be published are set aside with the reason, and hold up nobody else. Method: 1,000 messages,
//! among them one whose subject contains a space, one that is larger than the server takes, and one for a subject that no
//! stream takes.

use std::time::Duration;

use natspubsub::store::{OutboxMessage, OutboxStore, SqlStore};
use natspubsub_tests::on_each_database;
use natspubsub_tests::shop::{Connected, Kind, Shop};

use super::SHOP;

const MESSAGES: usize = 1_000;
const KEYS: usize = 20;
const LIMIT: Duration = Duration::from_secs(30);
const ATTEMPTS: (&str, &str) = ("NATSPUBSUB_OUTBOX_MAX_ATTEMPTS", "3");

/// Of the poisoned key, what is behind the poison waits until it is set aside.
const OTHERS: &str = "SELECT count(*) FROM natspubsub_outbox WHERE key <> 'key-0' AND status = 'sent'";

fn message(number: usize, subject: &str, body: Vec<u8>) -> OutboxMessage {
    let id = format!("order-{number}");
    OutboxMessage {
        event_id: id.clone(),
        message_id: id,
        subject: subject.to_owned(),
        key: Some(format!("key-{}", number % KEYS)),
        headers: Default::default(),
        body: body.into(),
        delay: Duration::ZERO,
    }
}

fn messages() -> Vec<OutboxMessage> {
    let body = |number: usize| format!(r#"{{"event_id":"order-{number}","message":{number}}}"#).into_bytes();
    let message = |number: usize| match number {
        200 => message(number, "test.e7.order created", body(number)),
        400 => message(number, "test.e7.order.created", vec![b'x'; 2 * 1024 * 1024]),
        600 => message(number, "nobody.takes.this", body(number)),
        _ => message(number, "test.e7.order.created", body(number)),
    };
    (0..MESSAGES).map(message).collect()
}

async fn write(store: &impl SqlStore, messages: &[OutboxMessage]) {
    for some in messages.chunks(100) {
        let mut tx = store.begin().await.unwrap();
        store.write_messages(&mut tx, some).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn e7_poison(kind: Kind) {
    let shop = Shop::open(SHOP, "e7", kind).await;
    shop.make_stream(shop.config()).await;
    let connected = Connected::open(&shop.database.url(), 2).await;
    match &connected {
        Connected::Sqlite(store) => write(store, &messages()).await,
        Connected::Postgres(store) => write(store, &messages()).await,
    }
    let _relay = shop.start("relay", "relay", &[ATTEMPTS]);
    let others = i64::try_from(MESSAGES - MESSAGES / KEYS).unwrap();
    shop.wait_until("the other keys are published", LIMIT, OTHERS, |sent| sent == others).await;
    assert!(shop.database.outbox("failed").await < 3, "before the last poison is set aside");
    shop.drained(LIMIT).await;
    assert_eq!(shop.database.outbox("sent").await, 997);

    let failed = match &connected {
        Connected::Sqlite(store) => store.failed_messages(10).await.unwrap(),
        Connected::Postgres(store) => store.failed_messages(10).await.unwrap(),
    };
    let reasons: Vec<(&str, &str)> =
        failed.iter().map(|failed| (failed.event_id.as_str(), failed.error.as_str())).collect();
    let [(space, space_error), (large, large_error), (nobody, nobody_error)] = reasons[..] else {
        panic!("three are set aside: {reasons:?}")
    };
    assert_eq!((space, large, nobody), ("order-200", "order-400", "order-600"));
    assert!(space_error.contains("white space"), "{space_error}");
    assert!(large_error.contains("1048576"), "{large_error}");
    assert!(nobody_error.contains("stream"), "{nobody_error}");
    assert_eq!(shop.stored::<usize>("order.created").await.len(), 997);
}

on_each_database! { e7_poison }
