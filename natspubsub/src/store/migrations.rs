//! The tables, made and changed by numbered files of SQL.

use std::future::Future;

use super::tables::Tables;
use crate::error::{Error, ErrorKind, Result};

/// One file of SQL: from `BEGIN` to `COMMIT`, with its row in the table of migrations.
#[derive(Debug, Clone, Copy)]
#[doc(hidden)]
pub struct Migration {
    /// From 1, without a gap.
    pub(crate) version: u32,
    /// The whole file, for the default names.
    pub(crate) sql: &'static str,
}

impl Migration {
    /// What stands between `BEGIN` and `COMMIT`, for these tables.
    pub(crate) fn statements(&self, tables: &Tables) -> String {
        let inner = self.sql.split_once("BEGIN;").or_else(|| self.sql.split_once("BEGIN IMMEDIATE;"));
        let inner = inner.map_or(self.sql, |(_, rest)| rest);
        let inner = inner.rsplit_once("COMMIT;").map_or(inner, |(inner, _)| inner);
        tables.rename(inner)
    }
}

/// A store whose tables come with this crate: `PostgresStore` and `SqliteStore`.
///
/// ```
/// fn is_migrated<S: natspubsub::store::MigratedStore>() {}
/// # #[cfg(feature = "postgres")]
/// is_migrated::<natspubsub::store::PostgresStore>();
/// ```
pub trait MigratedStore: Send + Sync {
    /// All migrations, in order.
    #[doc(hidden)]
    const MIGRATIONS: &'static [Migration];

    /// The names of its tables.
    ///
    /// ```
    /// fn outbox<S: natspubsub::store::MigratedStore>(store: &S) -> String {
    ///     store.tables().outbox()
    /// }
    /// ```
    fn tables(&self) -> &Tables;

    /// The number of the newest migration that ran, 0 when none did.
    #[doc(hidden)]
    fn migrated_version(&self) -> impl Future<Output = Result<u32>> + Send;

    /// Runs the first migration that is missing, in one transaction, one process at a time; `false` when none is.
    #[doc(hidden)]
    fn migrate_once(&self) -> impl Future<Output = Result<bool>> + Send;
}

/// Makes the tables of a store, and changes them for a new release.
///
/// Run it before the application starts, or run the files under `migrations/` of this crate by hand: each is one
/// transaction, and writes its number into the table of migrations.
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use natspubsub::store::{Migrations, PostgresStore};
///
/// let pool = sqlx::PgPool::connect("postgres://localhost/shop").await?;
/// let store = PostgresStore::new(pool);
/// let count = Migrations::run(&store).await?;
/// println!("{count} migrations ran");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Migrations;

impl Migrations {
    /// Runs what is missing, in order, and says how many they were. Several processes may do so at once.
    ///
    /// ```
    /// # async fn example<S: natspubsub::store::MigratedStore>(store: S) -> natspubsub::Result {
    /// natspubsub::store::Migrations::run(&store).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Database`] when the database does not answer, or refuses to make the tables.
    pub async fn run<S: MigratedStore>(store: &S) -> Result<u32> {
        let mut count = 0;
        while store.migrate_once().await? {
            count += 1;
        }
        Ok(count)
    }

    /// All migrations as SQL with the names of this store, for a team that runs it by hand.
    ///
    /// ```
    /// fn print<S: natspubsub::store::MigratedStore>(store: &S) {
    ///     println!("{}", natspubsub::store::Migrations::sql(store));
    /// }
    /// ```
    pub fn sql<S: MigratedStore>(store: &S) -> String {
        let tables = store.tables();
        let schema = tables.schema().map(|schema| format!("CREATE SCHEMA IF NOT EXISTS {schema};\n\n"));
        let files = S::MIGRATIONS.iter().map(|migration| tables.rename(migration.sql));
        schema.into_iter().chain(files).collect::<Vec<_>>().join("\n")
    }

    /// The number of the newest migration that ran, 0 when none did.
    ///
    /// ```
    /// # async fn example<S: natspubsub::store::MigratedStore>(store: S) -> natspubsub::Result {
    /// assert!(natspubsub::store::Migrations::version(&store).await? >= 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Database`] when the database does not answer.
    pub async fn version<S: MigratedStore>(store: &S) -> Result<u32> {
        store.migrated_version().await
    }
}

/// What is wrong with tables that are not there, or of which not all migrations ran; what newer releases have done to
/// them is no fault.
pub(crate) fn fault_of(missing: &[String], version: u32, needed: u32) -> Option<Error> {
    let remedy = "run `natspubsub::store::Migrations::run(&store)`, or the files in migrations/";
    let text = match missing {
        [] if version >= needed => return None,
        [] => format!("the tables have version {version} and this release needs {needed}; {remedy}"),
        [one] => format!("the table {one} is missing; {remedy}"),
        several => format!("the tables {} are missing; {remedy}", several.join(", ")),
    };
    Some(Error::new(ErrorKind::Database, text))
}

/// The number of the newest of some migrations.
pub(crate) fn newest(migrations: &[Migration]) -> u32 {
    migrations.last().map_or(0, |migration| migration.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_says_what_is_missing_and_what_to_do() {
        let text = |missing: &[&str], version| {
            let missing: Vec<String> = missing.iter().map(|&name| name.into()).collect();
            fault_of(&missing, version, 2).map(|error| error.to_string())
        };
        let remedy = "run `natspubsub::store::Migrations::run(&store)`, or the files in migrations/";
        assert_eq!(text(&["a"], 0), Some(format!("the table a is missing; {remedy}")));
        assert_eq!(text(&["a", "b"], 0), Some(format!("the tables a, b are missing; {remedy}")));
        assert_eq!(text(&[], 1), Some(format!("the tables have version 1 and this release needs 2; {remedy}")));
        assert_eq!((text(&[], 2), text(&[], 3)), (None, None));
    }
}
