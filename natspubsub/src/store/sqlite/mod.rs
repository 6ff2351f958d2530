//! Inbox and outbox in SQLite.

mod handlings;
mod leading;
mod messages;
mod schema;
mod settling;
mod statements;
mod writing;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

use self::statements::Statements;
use super::bell::Bell;
use super::fault::database;
use super::inbox::InboxKey;
use super::message::OutboxMessage;
use super::sql::{Entered, SqlStore, StoredIn};
use super::tables::Tables;
use crate::error::{Error, Result};

/// How long a connection waits until another one has written.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Inbox and outbox in a SQLite database.
///
/// Several processes of one machine may use it at once. Relays of the process that has written are told so; those of
/// others look from time to time (`outbox_poll`).
///
/// A transaction that writes, and reads before that, begins with `BEGIN IMMEDIATE`, as [`SqlStore::begin`] does. One that
/// becomes a writer later fails at once when another has written since it began to read, whatever `busy_timeout` says.
///
/// ```
/// use natspubsub::store::{Migrations, OutboxStore, SqliteStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("shop.db");
/// let pool = sqlx::SqlitePool::connect_with(SqliteStore::options(&path)).await?;
/// let store = SqliteStore::new(pool);
/// Migrations::run(&store).await?;
/// store.check_outbox_tables().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    pool: SqlitePool,
    shared: Arc<Shared>,
    bell: Bell,
}

/// What clones share.
struct Shared {
    tables: Tables,
    statements: Statements,
}

impl SqliteStore {
    /// A store on these connections, with the default tables. Make the connections with [`SqliteStore::options`].
    ///
    /// ```no_run
    /// # async fn example() -> sqlx::Result<()> {
    /// use natspubsub::store::SqliteStore;
    /// let store = SqliteStore::new(sqlx::SqlitePool::connect_with(SqliteStore::options("shop.db")).await?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(pool: SqlitePool) -> Self {
        Self::of(pool, Tables::default())
    }

    /// The same with other names of its tables.
    ///
    /// ```
    /// # fn example(store: natspubsub::store::SqliteStore) -> natspubsub::Result {
    /// let store = store.with_tables(natspubsub::store::Tables::prefixed("billing_")?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_tables(self, tables: Tables) -> Self {
        Self::of(self.pool, tables)
    }

    /// How to connect to a file so that nothing committed is lost, and readers and a writer do not hold up each other: it is
    /// made if it is missing, with `journal_mode = WAL`, `synchronous = FULL` and a `busy_timeout` of 5 s.
    ///
    /// Who opens a new file first turns it to WAL; another process that opens it in that moment may be told that the database
    /// is locked, whatever its `busy_timeout`, and connects again.
    ///
    /// ```
    /// use natspubsub::store::SqliteStore;
    /// let options = SqliteStore::options("shop.db").busy_timeout(std::time::Duration::from_secs(10));
    /// assert_eq!(options.get_filename().to_str(), Some("shop.db"));
    /// ```
    pub fn options(path: impl AsRef<Path>) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
    }

    fn of(pool: SqlitePool, tables: Tables) -> Self {
        let statements = Statements::of(&tables);
        Self { pool, shared: Arc::new(Shared { tables, statements }), bell: Bell::default() }
    }

    fn statements(&self) -> &Statements {
        &self.shared.statements
    }

    /// A transaction that is the only one that writes, from its beginning on.
    async fn begin_writing(&self, step: &'static str) -> Result<Transaction<'static, Sqlite>> {
        self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed(step))
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("tables", &self.shared.tables).finish_non_exhaustive()
    }
}

impl SqlStore for SqliteStore {
    type Database = Sqlite;

    fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        self.begin_writing("begin a transaction").await
    }

    async fn write_messages(&self, connection: &mut SqliteConnection, messages: &[OutboxMessage]) -> Result<Vec<bool>> {
        writing::write(self.statements(), connection, messages).await.map_err(failed("write messages into the outbox"))
    }

    async fn written_subject(&self, connection: &mut SqliteConnection, message_id: &str) -> Result<Option<String>> {
        let query = sqlx::query_scalar(self.statements().written_subject.sql()).bind(message_id);
        query.fetch_optional(connection).await.map_err(failed("read a message of the outbox"))
    }

    async fn enter_handling(&self, connection: &mut SqliteConnection, key: &InboxKey) -> Result<Entered> {
        handlings::enter(self.statements(), connection, key).await.map_err(failed("mark a message as handled"))
    }

    fn ring(&self) {
        self.bell.ring();
    }
}

impl StoredIn for Sqlite {
    type Store = SqliteStore;
}

/// The error of a step, which completes "could not ..".
fn failed(step: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    move |error| database(step, error)
}

/// A time as SQLite's statements have it.
fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

/// What a statement says about a time that has passed or remains; never negative.
fn duration(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

fn json(value: &impl Serialize) -> sqlx::Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}
