//! The service with its data in PostgreSQL.

pub(crate) use natspubsub::prelude::Postgres as Db;
pub(crate) use natspubsub::store::PostgresStore as Store;

#[path = "service.rs"]
pub(crate) mod service;

/// Connects to `postgres://user:password@host/database`.
pub(crate) async fn connect(url: &str) -> natspubsub::Result<Store> {
    Ok(Store::new(sqlx::PgPool::connect(url).await?))
}
