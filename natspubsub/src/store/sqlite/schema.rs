//! The tables in SQLite: made, looked for, checked; and the settings of its connections.

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::{SqliteStore, failed};
use crate::error::{Error, ErrorKind, Result};
use crate::store::migrations::{MigratedStore, Migration, fault_of, newest};
use crate::store::tables::Tables;

const MIGRATIONS: &[Migration] =
    &[Migration { version: 1, sql: include_str!("../../../migrations/sqlite/0001_inbox_and_outbox.sql") }];

impl MigratedStore for SqliteStore {
    const MIGRATIONS: &'static [Migration] = MIGRATIONS;

    fn tables(&self) -> &Tables {
        &self.shared.tables
    }

    async fn migrated_version(&self) -> Result<u32> {
        let mut connection = self.pool.acquire().await.map_err(failed("connect to the database"))?;
        version(&mut connection, self.tables()).await.map_err(failed("read the version of the tables"))
    }

    async fn migrate_once(&self) -> Result<bool> {
        let step = "make the tables of inbox and outbox";
        refuse_schema(self.tables())?;
        let mut transaction = self.begin_writing(step).await?;
        let done = version(&mut transaction, self.tables()).await.map_err(failed(step))?;
        let Some(next) = MIGRATIONS.iter().find(|migration| migration.version > done) else {
            return Ok(false);
        };
        let statements = AssertSqlSafe(next.statements(self.tables()));
        sqlx::raw_sql(statements).execute(&mut *transaction).await.map_err(failed(step))?;
        transaction.commit().await.map_err(failed(step))?;
        Ok(true)
    }
}

impl SqliteStore {
    /// Refuses when one of these tables is missing, not all migrations ran, or the connections are set so that writers
    /// fail.
    pub(super) async fn check(&self, tables: &[String]) -> Result<()> {
        let step = "look for the tables of inbox and outbox";
        refuse_schema(self.tables())?;
        let mut connection = self.pool.acquire().await.map_err(failed("connect to the database"))?;
        Settings::read(&mut connection).await.map_err(failed("read the settings of a connection"))?.check()?;
        let mut missing = Vec::new();
        for table in tables {
            if !is_there(&mut connection, table).await.map_err(failed(step))? {
                missing.push(table.clone());
            }
        }
        let version = version(&mut connection, self.tables()).await.map_err(failed(step))?;
        fault_of(&missing, version, newest(MIGRATIONS)).map_or(Ok(()), Err)
    }
}

fn refuse_schema(tables: &Tables) -> Result<()> {
    let Some(schema) = tables.schema() else { return Ok(()) };
    let text =
        format!("SQLite has no schema {schema:?}: give the tables a prefix, such as `Tables::prefixed(\"{schema}_\")`");
    Err(Error::new(ErrorKind::Config, text))
}

async fn is_there(connection: &mut SqliteConnection, table: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1)")
        .bind(table)
        .fetch_one(connection)
        .await
}

async fn version(connection: &mut SqliteConnection, tables: &Tables) -> sqlx::Result<u32> {
    let table = tables.migrations();
    if !is_there(connection, &table).await? {
        return Ok(0);
    }
    let sql = format!("SELECT coalesce(max(version), 0) FROM {table}");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(connection).await
}

/// How a connection is set.
struct Settings {
    journal_mode: String,
    /// In milliseconds.
    busy_timeout: i64,
    /// From 0, `OFF`.
    synchronous: i64,
    /// Empty without one.
    file: String,
}

impl Settings {
    async fn read(connection: &mut SqliteConnection) -> sqlx::Result<Self> {
        Ok(Self {
            journal_mode: sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await?,
            busy_timeout: sqlx::query_scalar("PRAGMA busy_timeout").fetch_one(&mut *connection).await?,
            synchronous: sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *connection).await?,
            file: sqlx::query_scalar("SELECT coalesce(file, '') FROM pragma_database_list WHERE name = 'main'")
                .fetch_one(connection)
                .await?,
        })
    }

    fn check(&self) -> Result<()> {
        let remedy = "make them with `natspubsub::store::SqliteStore::options(path)`";
        if self.file.is_empty() {
            return Ok(());
        }
        if self.journal_mode != "wal" {
            let text = format!(
                "the connections of the pool have journal_mode = {}, where readers and a writer shut each other out; \
                 {remedy}, or set `.journal_mode(SqliteJournalMode::Wal)`",
                self.journal_mode
            );
            return Err(Error::new(ErrorKind::Database, text));
        }
        if self.busy_timeout == 0 {
            let text = format!(
                "the connections of the pool have busy_timeout = 0, so that each fails while another one writes; {remedy}, \
                 or set `.busy_timeout(Duration::from_secs(5))`"
            );
            return Err(Error::new(ErrorKind::Database, text));
        }
        if self.synchronous < 2 {
            tracing::warn!(
                synchronous = self.synchronous,
                "a loss of power may undo the last commits of this SQLite database, also of messages that were \
                 acknowledged; set `.synchronous(SqliteSynchronous::Full)`"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_one_transaction_that_writes_its_number() {
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.version as usize, index + 1);
            let row = format!("INSERT INTO natspubsub_migrations (version) VALUES ({});", migration.version);
            assert_eq!(migration.sql.matches(&row).count(), 1, "{row}");
            assert_eq!(migration.sql.matches("BEGIN IMMEDIATE;").count(), 1);
            assert!(migration.sql.ends_with("COMMIT;\n"));
            let statements = migration.statements(&Tables::prefixed("b_").unwrap());
            assert!(!statements.contains("natspubsub") && !statements.contains("BEGIN"), "{statements}");
        }
    }

    #[test]
    fn settings_that_make_writers_fail_are_refused() {
        let settings = |journal_mode: &str, busy_timeout, file: &str| {
            let set = Settings { journal_mode: journal_mode.into(), busy_timeout, synchronous: 2, file: file.into() };
            set.check().map_err(|error| error.to_string())
        };
        assert_eq!(settings("wal", 5000, "/a.db"), Ok(()));
        assert_eq!(settings("memory", 0, ""), Ok(()));
        let text = settings("delete", 5000, "/a.db").unwrap_err();
        assert!(text.contains("journal_mode = delete") && text.contains("SqliteStore::options(path)"), "{text}");
        let text = settings("wal", 0, "/a.db").unwrap_err();
        assert!(text.contains("busy_timeout = 0") && text.contains("SqliteStore::options(path)"), "{text}");
    }
}
