//! Goal: inbox and outbox in SQLite keep the rules, also when several processes use one file. Method: the suite for stores
//! on files of a folder of their own; several processes are several pools, of which each call takes the next one.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use natspubsub::store::{Migrations, SqliteStore, Tables};
use natspubsub::testing::stores;
use sqlx::SqlitePool;
use tempfile::TempDir;

use crate::several::Several;
use crate::transactions as promise;

/// Databases that are deleted afterwards.
struct Files {
    folder: TempDir,
    count: AtomicU32,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), count: AtomicU32::new(0) }
    }

    fn new_path(&self) -> PathBuf {
        self.folder.path().join(format!("{}.db", self.count.fetch_add(1, Ordering::Relaxed)))
    }

    /// An empty database with its tables.
    async fn store(&self) -> SqliteStore {
        let store = open(&self.new_path()).await;
        Migrations::run(&store).await.unwrap();
        store
    }

    /// The same three times: only one of them makes the tables.
    async fn three(&self) -> Several<SqliteStore> {
        let path = self.new_path();
        // The first one turns the file to WAL, for which SQLite lets nobody wait.
        let stores = vec![open(&path).await, open(&path).await, open(&path).await];
        let ran = futures::future::join_all(stores.iter().map(Migrations::run)).await;
        let ran: u32 = ran.into_iter().map(Result::unwrap).sum();
        assert_eq!(ran, 1);
        Several::of(stores)
    }
}

async fn open(path: &std::path::Path) -> SqliteStore {
    SqliteStore::new(SqlitePool::connect_with(SqliteStore::options(path)).await.unwrap())
}

#[tokio::test]
async fn sqlite_keeps_the_rules_of_an_outbox() {
    let files = Files::new();
    let write = async |store: &SqliteStore, messages| drop(promise::write(store, messages).await);
    stores::check_outbox(async || files.store().await, write).await;
}

#[tokio::test]
async fn sqlite_keeps_the_rules_of_an_inbox() {
    let files = Files::new();
    stores::check_inbox(async || files.store().await).await;
}

#[tokio::test]
async fn several_processes_on_sqlite_keep_the_rules_of_an_outbox() {
    let files = Files::new();
    let write = async |stores: &Several<SqliteStore>, messages| drop(promise::write(stores.next(), messages).await);
    stores::check_outbox(async || files.three().await, write).await;
}

#[tokio::test]
async fn several_processes_on_sqlite_keep_the_rules_of_an_inbox() {
    let files = Files::new();
    stores::check_inbox(async || files.three().await).await;
}

#[tokio::test]
async fn a_rollback_leaves_nothing() {
    let files = Files::new();
    promise::a_rollback_leaves_nothing(&files.store().await).await;
}

#[tokio::test]
async fn a_message_id_is_written_once() {
    let files = Files::new();
    promise::a_message_id_is_written_once(&files.store().await).await;
}

#[tokio::test]
async fn messages_of_a_key_come_in_the_order_of_their_commits() {
    let files = Files::new();
    promise::messages_of_a_key_come_in_the_order_of_their_commits(&files.store().await).await;
}

#[tokio::test]
async fn a_handling_is_entered_once() {
    let files = Files::new();
    promise::a_handling_is_entered_once(&files.store().await).await;
}

#[tokio::test]
async fn of_many_handlings_at_once_one_is_first() {
    let files = Files::new();
    promise::of_many_handlings_at_once_one_is_first(&files.store().await).await;
}

#[tokio::test]
async fn a_relay_gets_everything_that_is_written_meanwhile() {
    let files = Files::new();
    promise::a_relay_gets_everything_that_is_written_meanwhile(&files.store().await).await;
}

#[tokio::test]
async fn tables_with_other_names_are_other_tables() {
    let files = Files::new();
    let path = files.new_path();
    let mine = open(&path).await;
    let theirs = open(&path).await.with_tables(Tables::prefixed("billing_").unwrap());
    assert_eq!(Migrations::run(&mine).await.unwrap(), 1);
    assert_eq!(Migrations::version(&theirs).await.unwrap(), 0);
    assert_eq!(Migrations::run(&theirs).await.unwrap(), 1);
    promise::write(&mine, vec![promise::message("m-1", "k")]).await;
    assert_eq!(promise::claimed(&theirs).await, Vec::<String>::new());
    assert_eq!(promise::claimed(&mine).await, ["m-1"]);
}
