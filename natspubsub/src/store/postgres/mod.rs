//! Inbox and outbox in PostgreSQL.

mod schema;

use std::fmt;
use std::sync::Arc;

use sqlx::PgPool;

use super::tables::Tables;
use crate::error::{Error, ErrorKind};

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
}

/// What clones share.
struct Shared {
    tables: Tables,
    notifies: bool,
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
        Self::of(pool, Tables::default(), true)
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
        Self::of(self.pool, tables, self.shared.notifies)
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
        Self::of(self.pool, tables, false)
    }

    fn of(pool: PgPool, tables: Tables, notifies: bool) -> Self {
        Self { pool, shared: Arc::new(Shared { tables, notifies }) }
    }
}

/// Without the pool, whose options hold the password.
impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { tables, notifies, .. } = &*self.shared;
        f.debug_struct("PostgresStore").field("tables", tables).field("notifies", notifies).finish_non_exhaustive()
    }
}

/// The error of a step; PostgreSQL's own words are its source.
fn failed(step: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    move |error| Error::new(ErrorKind::Database, format!("PostgreSQL: {step} failed")).with_source(error)
}
