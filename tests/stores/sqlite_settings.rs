//! Goal: a database that is not prepared is refused with what to do. Method: each such database, and the sentence.

use std::path::Path;
use std::time::Duration;

use natspubsub::store::{InboxStore, Migrations, OutboxStore, SqlStore, SqliteStore, Tables};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{Row, SqlitePool};

async fn store(options: SqliteConnectOptions) -> SqliteStore {
    SqliteStore::new(SqlitePool::connect_with(options).await.unwrap())
}

async fn refusal(store: &SqliteStore) -> String {
    let inbox = store.check_inbox_table().await.unwrap_err().to_string();
    let outbox = store.check_outbox_tables().await.unwrap_err().to_string();
    format!("{inbox}\n{outbox}")
}

fn options(folder: &Path) -> SqliteConnectOptions {
    SqliteStore::options(folder.join("shop.db"))
}

#[tokio::test]
async fn tables_that_are_missing_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(options(folder.path())).await;
    let text = refusal(&store).await;
    assert!(text.contains("the table natspubsub_inbox is missing; run `natspubsub::store::Migrations::run"), "{text}");
    assert!(
        text.contains("natspubsub_outbox, natspubsub_outbox_leads, natspubsub_outbox_relays are missing"),
        "{text}"
    );
    Migrations::run(&store).await.unwrap();
    store.check_inbox_table().await.unwrap();
    store.check_outbox_tables().await.unwrap();
}

#[tokio::test]
async fn a_schema_is_refused_because_sqlite_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let tables = Tables::default().in_schema("messaging").unwrap();
    let store = store(options(folder.path())).await.with_tables(tables);
    let text = Migrations::run(&store).await.unwrap_err().to_string();
    assert_eq!(
        text,
        "SQLite has no schema \"messaging\": give the tables a prefix, such as `Tables::prefixed(\"messaging_\")`"
    );
    assert!(refusal(&store).await.contains(&text));
}

#[tokio::test]
async fn settings_that_make_writers_fail_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let busy = store(options(folder.path()).busy_timeout(Duration::ZERO)).await;
    Migrations::run(&busy).await.unwrap();
    let text = refusal(&busy).await;
    assert!(text.contains("busy_timeout = 0") && text.contains("SqliteStore::options(path)"), "{text}");
    busy.pool().close().await;
    let rollback = store(options(folder.path()).journal_mode(SqliteJournalMode::Delete)).await;
    let text = refusal(&rollback).await;
    assert!(text.contains("journal_mode = delete") && text.contains("SqliteStore::options(path)"), "{text}");
}

#[tokio::test]
async fn a_database_in_memory_is_allowed() {
    let one = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let store = SqliteStore::new(one.connect("sqlite::memory:").await.unwrap());
    Migrations::run(&store).await.unwrap();
    store.check_inbox_table().await.unwrap();
    crate::transactions::write(&store, vec![crate::transactions::message("m-1", "k")]).await;
    assert_eq!(crate::transactions::claimed(&store).await, ["m-1"]);
}

#[tokio::test]
async fn the_options_are_those_that_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(options(folder.path())).await;
    for (pragma, expected) in [("journal_mode", "wal"), ("synchronous", "2"), ("busy_timeout", "5000")] {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA {pragma}"))).fetch_one(store.pool()).await.unwrap();
        let is = row.try_get::<String, _>(0).or_else(|_| row.try_get::<i64, _>(0).map(|number| number.to_string()));
        assert_eq!(is.unwrap(), expected, "{pragma}");
    }
}

#[tokio::test]
async fn the_printed_sql_makes_the_tables_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(options(folder.path())).await.with_tables(Tables::prefixed("shop_").unwrap());
    let sql = Migrations::sql(&store);
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(store.pool()).await.unwrap();
    assert_eq!(Migrations::run(&store).await.unwrap(), 0);
    store.check_outbox_tables().await.unwrap();
}
