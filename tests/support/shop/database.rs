//! The database of one test.

use std::path::PathBuf;
use std::time::Duration;

use natspubsub::store::{Migrations, PostgresStore, SqliteStore};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection, PgPool, SqliteConnection, SqlitePool};
use tempfile::TempDir;

use super::TABLES;
use crate::PostgresServer;

/// Which database a scenario runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    Sqlite,
    /// A server of its own.
    Postgres,
}

/// A database with the tables of the shop, of inbox and outbox, seen from outside.
pub enum Database {
    /// A file in a folder.
    Sqlite {
        /// The folder.
        folder: TempDir,
        /// Connections of the test.
        pool: SqlitePool,
    },
    /// A server.
    Postgres {
        /// The server.
        server: PostgresServer,
        /// Connections of the test.
        pool: PgPool,
    },
}

/// The same expression with the connections of whichever database it is.
macro_rules! with_pool {
    ($database:expr, $pool:ident => $do:expr) => {
        match $database {
            Database::Sqlite { pool: $pool, .. } => $do,
            Database::Postgres { pool: $pool, .. } => $do,
        }
    };
}

impl Database {
    /// Makes one, with every table; `postgres` is started where it is that one.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn start(kind: Kind, postgres: impl Future<Output = PostgresServer>) -> Self {
        let database = match kind {
            Kind::Sqlite => {
                let folder = tempfile::tempdir().expect("a folder for the database");
                let pool =
                    SqlitePoolOptions::new().max_connections(4).connect_with(options(folder.path().join("shop.db")));
                let pool = pool.await.expect("the file opens");
                Migrations::run(&SqliteStore::new(pool.clone())).await.expect("the tables are made");
                Self::Sqlite { folder, pool }
            }
            Kind::Postgres => {
                let server = postgres.await;
                let pool = server.pool().await;
                Migrations::run(&PostgresStore::new(pool.clone())).await.expect("the tables are made");
                Self::Postgres { server, pool }
            }
        };
        database.execute(TABLES).await;
        database
    }

    /// What the roles of the shop are told in `DATABASE`.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite { folder, .. } => format!("sqlite:{}", folder.path().join("shop.db").display()),
            Self::Postgres { server, .. } => server.url().to_owned(),
        }
    }

    /// The server.
    ///
    /// # Panics
    /// When it is a file.
    pub fn server(&mut self) -> &mut PostgresServer {
        match self {
            Self::Sqlite { .. } => panic!("SQLite has no server"),
            Self::Postgres { server, .. } => server,
        }
    }

    /// Runs statements.
    ///
    /// # Panics
    /// When the database refuses one.
    pub async fn execute(&self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        with_pool!(self, pool => sql.execute(pool).await.map(|_| ())).expect("the statements run");
    }

    /// One number; `None` while the database does not answer.
    pub async fn look(&self, sql: &str) -> Option<i64> {
        let sql = AssertSqlSafe(sql.to_owned());
        with_pool!(self, pool => sqlx::query_scalar(sql).fetch_one(pool).await).ok()
    }

    /// One number.
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn number(&self, sql: &str) -> i64 {
        let asked = AssertSqlSafe(sql.to_owned());
        let number = with_pool!(self, pool => sqlx::query_scalar(asked).fetch_one(pool).await);
        number.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Rows of one text.
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let asked = AssertSqlSafe(sql.to_owned());
        let texts = with_pool!(self, pool => sqlx::query_scalar(asked).fetch_all(pool).await);
        texts.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Whether somebody can write: a process that was frozen in the middle of a transaction keeps a whole SQLite to itself.
    pub async fn is_writable(&self) -> bool {
        let Self::Sqlite { folder, .. } = self else { return true };
        let impatient = options(folder.path().join("shop.db")).busy_timeout(Duration::from_millis(200));
        let mut connection = SqliteConnection::connect_with(&impatient).await.expect("the file opens");
        sqlx::raw_sql("BEGIN IMMEDIATE; ROLLBACK").execute(&mut connection).await.is_ok()
    }

    /// How many messages of the outbox have this status.
    pub async fn outbox(&self, status: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM natspubsub_outbox WHERE status = '{status}'")).await
    }

    /// How many messages of the outbox wait.
    pub async fn waiting(&self) -> i64 {
        self.number("SELECT count(*) FROM natspubsub_outbox WHERE status IN ('pending', 'publishing')").await
    }

    /// How many effects a consumer had, and of how many events.
    pub async fn effects(&self, consumer: &str) -> (i64, i64) {
        let rows = format!("SELECT count(*) FROM effects WHERE consumer = '{consumer}'");
        let events = format!("SELECT count(DISTINCT event_id) FROM effects WHERE consumer = '{consumer}'");
        (self.number(&rows).await, self.number(&events).await)
    }
}

/// As the store wants it, without waiting for the disk: what is killed here is processes, not the machine.
pub(super) fn options(path: PathBuf) -> SqliteConnectOptions {
    SqliteStore::options(path).synchronous(SqliteSynchronous::Normal)
}
