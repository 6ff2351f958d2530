//! Inbox and outbox in PostgreSQL.

mod claim;
mod cleanup;
mod handling;
mod inbox;
mod kept;
mod lead;
mod listen;
mod outbox;
mod schema;
mod settle;
mod transaction;
mod write;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgPool, Postgres};
use tokio::sync::OnceCell;

use self::kept::Kept;
use self::listen::Ear;
use super::bell::Bell;
use super::tables::Tables;

/// Inbox and outbox in a PostgreSQL database, 13 or newer.
///
/// Clones share their connections. Besides those of the pool, a store from which a relay reads has one connection of its
/// own, which is told about new messages (`LISTEN`).
///
/// ```no_run
/// use natspubsub::store::{Migrations, PostgresStore, Tables};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = sqlx::PgPool::connect("postgres://localhost/shop").await?;
/// let store = PostgresStore::new(pool).with_tables(Tables::prefixed("billing_")?);
/// Migrations::run(&store).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    pool: PgPool,
    shared: Arc<Shared>,
    kept: Arc<Kept>,
    bell: Bell,
    ear: Ear,
}

/// What clones share.
struct Shared {
    tables: Tables,
    notifies: bool,
    /// Whether the connection of a handler's transaction may go to the next one at once.
    keeps: bool,
    /// Whether what `BEGIN` begins writes, and sees what others commit; known once it was asked.
    begins_by_default: OnceCell<bool>,
}

impl PostgresStore {
    /// A store on these connections, with the default tables.
    ///
    /// ```no_run
    /// # async fn example() -> sqlx::Result<()> {
    /// let pool = sqlx::PgPool::connect("postgres://localhost/shop").await?;
    /// let store = natspubsub::store::PostgresStore::new(pool);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(pool: PgPool) -> Self {
        Self::of(pool, Tables::default(), true, true)
    }

    /// The same with other names of its tables.
    ///
    /// ```
    /// # fn example(store: natspubsub::store::PostgresStore) -> natspubsub::Result {
    /// let store = store.with_tables(natspubsub::store::Tables::default().in_schema("messaging")?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_tables(self, tables: Tables) -> Self {
        Self::of(self.pool, tables, self.shared.notifies, self.shared.keeps)
    }

    /// The same without `NOTIFY`: relays of other processes see new messages when they look, each `outbox_poll`.
    ///
    /// With `NOTIFY`, PostgreSQL lets transactions that write to the outbox commit one after the other. Where many of them
    /// commit at once, this is faster.
    ///
    /// ```
    /// # fn example(store: natspubsub::store::PostgresStore) {
    /// let store = store.without_notify();
    /// # }
    /// ```
    #[must_use]
    pub fn without_notify(self) -> Self {
        let tables = self.shared.tables.clone();
        Self::of(self.pool, tables, false, self.shared.keeps)
    }

    /// The same, but every transaction of a handler (`&mut Tx<Postgres>`) takes its connection from the pool, so that
    /// `before_acquire` and `after_release` of the pool run between two messages.
    ///
    /// Otherwise, while the pool has others, a connection goes from one message to the next without a visit to the pool if
    /// that comes within 1 to 2 ms; each 64th time it goes back all the same, which is when `max_lifetime` counts. That saves
    /// three of the six round trips of a short handler. What a handler sets on its connection with `SET` (without `LOCAL`) is
    /// then still set for the next, as without those two functions it would be. Through PgBouncer with transaction pooling a
    /// connection of the server stays with the process for as long.
    ///
    /// ```
    /// # fn example(store: natspubsub::store::PostgresStore) {
    /// let store = store.without_kept_connections();
    /// # }
    /// ```
    #[must_use]
    pub fn without_kept_connections(self) -> Self {
        let tables = self.shared.tables.clone();
        Self::of(self.pool, tables, self.shared.notifies, false)
    }

    fn of(pool: PgPool, tables: Tables, notifies: bool, keeps: bool) -> Self {
        let shared = Shared { tables, notifies, keeps, begins_by_default: OnceCell::new() };
        Self { pool, shared: Arc::new(shared), kept: Arc::default(), bell: Bell::default(), ear: Ear::default() }
    }

    /// A statement with the names of the tables.
    fn query(&self, sql: &'static str) -> Query<'static, Postgres, PgArguments> {
        sqlx::query(self.sql(sql))
    }

    fn sql(&self, sql: &'static str) -> AssertSqlSafe<Cow<'static, str>> {
        self.shared.tables.sql(sql)
    }
}

/// Without the pool, whose options hold the password.
impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { tables, notifies, .. } = &*self.shared;
        f.debug_struct("PostgresStore").field("tables", tables).field("notifies", notifies).finish_non_exhaustive()
    }
}

/// A duration for PostgreSQL, in seconds, a hundred years at most.
fn seconds(duration: Duration) -> f64 {
    const CENTURY: f64 = 100.0 * 365.0 * 24.0 * 3600.0;
    duration.as_secs_f64().min(CENTURY)
}

/// A duration of PostgreSQL, in seconds; what lies in the future is zero.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default()
}

/// A text for PostgreSQL, which keeps none with NUL.
fn text(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "\u{fffd}")),
        false => Cow::Borrowed(text),
    }
}
