//! The rules of the traits, and the tables, in PostgreSQL.

use std::sync::atomic::{AtomicU32, Ordering};

use natspubsub::ErrorKind;
use natspubsub::store::{InboxStore, Migrations, OutboxStore, PostgresStore, SqlStore, Tables};
use natspubsub::testing::stores;
use natspubsub_tests::PostgresServer;
use sqlx::PgPool;

/// A store with empty tables, in a schema of its own.
pub(crate) async fn fresh(pool: &PgPool) -> PostgresStore {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let schema = format!("fresh_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let tables = Tables::prefixed("shop_").unwrap().in_schema(&schema).unwrap();
    let store = PostgresStore::new(pool.clone()).with_tables(tables);
    assert_eq!(Migrations::run(&store).await.unwrap(), 1);
    store
}

/// Writes messages in a transaction, and commits it.
pub(crate) async fn write(store: &PostgresStore, messages: Vec<natspubsub::store::OutboxMessage>) -> Vec<bool> {
    let mut transaction = store.begin().await.unwrap();
    let new = store.write_messages(&mut transaction, &messages).await.unwrap();
    transaction.commit().await.unwrap();
    new
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_the_rules_of_an_outbox() {
    let server = PostgresServer::start().await;
    let pool = server.pool().await;
    let write = async |store: &PostgresStore, messages| drop(write(store, messages).await);
    stores::check_outbox(async || fresh(&pool).await, write).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_the_rules_of_an_inbox() {
    let server = PostgresServer::start().await;
    let pool = server.pool().await;
    stores::check_inbox(async || fresh(&pool).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_make_the_tables_once() {
    let server = PostgresServer::start().await;
    let mut starts = Vec::new();
    for _ in 0..8 {
        let store = PostgresStore::new(server.pool().await);
        starts.push(tokio::spawn(async move { Migrations::run(&store).await.unwrap() }));
    }
    let mut count = 0;
    for start in starts {
        count += start.await.unwrap();
    }
    let store = PostgresStore::new(server.pool().await);
    assert_eq!((count, Migrations::run(&store).await.unwrap(), Migrations::version(&store).await.unwrap()), (1, 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_sql_makes_the_same_tables() {
    let server = PostgresServer::start().await;
    let pool = server.pool().await;
    for tables in [Tables::default(), Tables::prefixed("b_").unwrap().in_schema("messaging").unwrap()] {
        let store = PostgresStore::new(pool.clone()).with_tables(tables);
        assert_eq!(Migrations::version(&store).await.unwrap(), 0);
        sqlx::raw_sql(sqlx::AssertSqlSafe(Migrations::sql(&store))).execute(&pool).await.unwrap();
        assert_eq!((Migrations::version(&store).await.unwrap(), Migrations::run(&store).await.unwrap()), (1, 0));
        store.check_outbox_tables().await.unwrap();
        store.check_inbox_table().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_table_is_named_with_the_remedy() {
    let server = PostgresServer::start().await;
    let pool = server.pool().await;
    let store = PostgresStore::new(pool.clone());
    let error = store.check_outbox_tables().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Database);
    assert_eq!(
        error.to_string(),
        "the tables natspubsub_outbox, natspubsub_outbox_leads, natspubsub_outbox_relays are missing; run \
         `natspubsub::store::Migrations::run(&store)`, or the files in migrations/"
    );
    Migrations::run(&store).await.unwrap();
    sqlx::raw_sql("DELETE FROM natspubsub_migrations; DROP TABLE natspubsub_inbox").execute(&pool).await.unwrap();
    let error = store.check_inbox_table().await.unwrap_err().to_string();
    assert!(error.starts_with("the table natspubsub_inbox is missing; run"), "{error}");
    let error = store.check_outbox_tables().await.unwrap_err().to_string();
    assert!(error.starts_with("the tables have version 0 and this release needs 1; run"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_is_shown_and_a_database_that_is_gone_is_said_so() {
    let mut server = PostgresServer::start_durable().await;
    let store = server.store().await;
    assert_eq!(write(&store, vec![crate::message("one", None)]).await, [true]);
    server.kill_9();
    let error = store.outbox_depth().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Database);
    assert_eq!(error.to_string(), "could not count the messages of the outbox");
    for text in [format!("{store:?}"), format!("{error:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    server.restart().await;
    assert_eq!(store.outbox_depth().await.unwrap().pending, 1);
    server.stop().await;
    server.restart().await;
    assert_eq!(write(&store, vec![crate::message("one", None), crate::message("two", None)]).await, [false, true]);
}
