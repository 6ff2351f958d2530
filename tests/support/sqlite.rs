//! A SQLite database in a file of its own.

use std::path::PathBuf;

use natspubsub::store::{Migrations, SqliteStore};
use tempfile::TempDir;

/// A database in a folder that goes with it.
pub struct SqliteFile {
    folder: TempDir,
}

impl SqliteFile {
    /// An empty database; as with a server, so that tests can be written for both.
    ///
    /// # Panics
    /// When there is no place for it.
    pub async fn start() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder for SQLite") }
    }

    /// Where it lies.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }

    /// A pool of its own, as another process would have.
    ///
    /// # Panics
    /// When the file cannot be opened.
    pub async fn pool(&self) -> sqlx::SqlitePool {
        sqlx::SqlitePool::connect_with(SqliteStore::options(self.path())).await.expect("SQLite opens its file")
    }

    /// A store with its tables.
    ///
    /// # Panics
    /// When the file cannot be opened.
    pub async fn store(&self) -> SqliteStore {
        let store = SqliteStore::new(self.pool().await);
        Migrations::run(&store).await.expect("the tables are made");
        store
    }
}
