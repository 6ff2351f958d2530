//! The tables in PostgreSQL: made, looked for, checked.

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use super::PostgresStore;
use crate::error::Result;
use crate::store::fault::database;
use crate::store::migrations::{MigratedStore, Migration, fault_of, newest};
use crate::store::tables::Tables;

const MIGRATIONS: &[Migration] =
    &[Migration { version: 1, sql: include_str!("../../../migrations/postgres/0001_inbox_and_outbox.sql") }];

impl MigratedStore for PostgresStore {
    const MIGRATIONS: &'static [Migration] = MIGRATIONS;

    fn tables(&self) -> &Tables {
        &self.shared.tables
    }

    async fn migrated_version(&self) -> Result<u32> {
        let fault = |error| database("read the version of the tables", error);
        let mut connection = self.pool.acquire().await.map_err(fault)?;
        version(&mut connection, self.tables()).await.map_err(fault)
    }

    async fn migrate_once(&self) -> Result<bool> {
        let migrated = migrate_once(&self.pool, self.tables()).await;
        migrated.map_err(|error| database("make the tables of inbox and outbox", error))
    }
}

impl PostgresStore {
    /// Refuses when one of these tables is missing, or not all migrations ran.
    pub(super) async fn check(&self, tables: &[String]) -> Result<()> {
        let fault = |error| database("look for the tables of inbox and outbox", error);
        let mut connection = self.pool.acquire().await.map_err(fault)?;
        let missing: Vec<String> =
            sqlx::query_scalar("SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL")
                .bind(tables)
                .fetch_all(&mut *connection)
                .await
                .map_err(fault)?;
        let version = version(&mut connection, self.tables()).await.map_err(fault)?;
        fault_of(&missing, version, newest(MIGRATIONS)).map_or(Ok(()), Err)
    }
}

async fn version(connection: &mut PgConnection, tables: &Tables) -> sqlx::Result<u32> {
    let table = tables.migrations();
    let is_there: bool =
        sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(&table).fetch_one(&mut *connection).await?;
    if !is_there {
        return Ok(0);
    }
    let sql = format!("SELECT coalesce(max(version), 0) FROM {table}");
    let version: i32 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(connection).await?;
    Ok(u32::try_from(version).unwrap_or(0))
}

async fn migrate_once(pool: &PgPool, tables: &Tables) -> sqlx::Result<bool> {
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    // Until the end of the transaction; other processes wait, and then find the work done.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('natspubsub migrations', 0))")
        .execute(&mut *transaction)
        .await?;
    let done = version(&mut transaction, tables).await?;
    let Some(next) = MIGRATIONS.iter().find(|migration| migration.version > done) else {
        return Ok(false);
    };
    if let Some(schema) = tables.schema() {
        make_schema(&mut transaction, schema).await?;
    }
    sqlx::raw_sql(AssertSqlSafe(next.statements(tables))).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Asks first: `CREATE SCHEMA IF NOT EXISTS` needs a privilege even when the schema is there.
async fn make_schema(connection: &mut PgConnection, schema: &str) -> sqlx::Result<()> {
    let is_there: bool =
        sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL").bind(schema).fetch_one(&mut *connection).await?;
    if !is_there {
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).execute(connection).await?;
    }
    Ok(())
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
            assert_eq!(migration.sql.matches("BEGIN;").count(), 1);
            assert!(migration.sql.ends_with("COMMIT;\n"));
            let statements = migration.statements(&Tables::prefixed("b_").unwrap());
            assert!(!statements.contains("natspubsub") && !statements.contains("BEGIN;"), "{statements}");
        }
    }
}
