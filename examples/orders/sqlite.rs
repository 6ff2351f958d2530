//! The service with its data in SQLite.

pub(crate) use natspubsub::prelude::Sqlite as Db;
pub(crate) use natspubsub::store::SqliteStore as Store;
use sqlx::sqlite::SqlitePoolOptions;

#[path = "service.rs"]
pub(crate) mod service;

/// How many connections there are. SQLite has one writer: more of them would only wait for each other.
const CONNECTIONS: u32 = 4;

/// Opens the file of `sqlite:/path/to/file`.
pub(crate) async fn connect(url: &str) -> natspubsub::Result<Store> {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_with(Store::options(path)).await?;
    Ok(Store::new(pool))
}
