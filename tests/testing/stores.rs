//! Goal: an application with a store is tested as any other. Method: a store in memory with faults between it and the
//! broker, and SQLite, whose answers take real time.

use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::store::{MemoryStore, Migrations, OutboxMessage, OutboxStore, SqliteStore};
use natspubsub::testing::{Profile, TestApp};
use natspubsub::{Headers, Outbox, sqlx};

use crate::orders;

const COUNT: u32 = 60;
const KEYS: u32 = 3;

/// A message as the outbox keeps it.
fn message(subject: &str, number: u32) -> OutboxMessage {
    let id = format!("order-{number}");
    let headers: Headers = [("Nats-Msg-Id".to_owned(), id.clone())].into_iter().collect();
    OutboxMessage {
        event_id: id.clone(),
        message_id: id,
        subject: subject.to_owned(),
        key: Some(format!("key-{}", number % KEYS)),
        headers,
        body: number.to_string().into(),
        delay: Duration::ZERO,
    }
}

#[tokio::test]
async fn settled_waits_until_the_outbox_is_empty_whatever_goes_wrong() {
    for seed in 1..=5 {
        let store = MemoryStore::new();
        let app = orders().store(store.clone()).publish_only().build().unwrap();
        let test = TestApp::faults(seed, Profile::harsh()).start(app).await.unwrap();
        if test.is_live() {
            return;
        }
        for number in 1..=COUNT {
            store.write([message("development.orders.order.written", number)]);
            test.advance(Duration::from_millis(300)).await;
        }
        test.heal().await;
        test.settled().await;
        let stored: Vec<u32> = test.published("order.written");
        for key in 0..KEYS {
            let expected: Vec<u32> = (1..=COUNT).filter(|number| number % KEYS == key).collect();
            let of_key: Vec<u32> = stored.iter().copied().filter(|number| number % KEYS == key).collect();
            assert_eq!(of_key, expected, "seed {seed}: each once, in order");
        }
        assert_eq!(store.outbox_depth().await.unwrap().failed, 0);
    }
}

#[tokio::test]
async fn a_database_works_beside_virtual_time_with_real_io() {
    let folder = tempfile::tempdir().unwrap();
    let pool = sqlx::SqlitePool::connect_with(SqliteStore::options(folder.path().join("orders.db"))).await.unwrap();
    let store = SqliteStore::new(pool.clone());
    Migrations::run(&store).await.unwrap();
    let config = Config::builder().app("orders").build().unwrap();
    let outbox = Outbox::new(&config, store.clone());
    let app = App::builder().config(config).store(store).publish_only().build().unwrap();
    let test = TestApp::builder().real_io().start(app).await.unwrap();
    if test.is_live() {
        return;
    }
    let written = test.run(async move {
        for number in 1..=10_u32 {
            let mut transaction = pool.begin().await.unwrap();
            outbox.publish_to(&mut transaction, ["order.written"], &number).await.unwrap();
            transaction.commit().await.unwrap();
        }
    });
    written.await.unwrap();
    test.settled().await;
    let mut stored: Vec<u32> = test.published("order.written");
    stored.sort_unstable();
    assert_eq!(stored, (1..=10).collect::<Vec<u32>>());
    assert!(test.health().await.problems.is_empty(), "{:?}", test.health().await);
}
