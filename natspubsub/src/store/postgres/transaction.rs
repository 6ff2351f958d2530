//! [`SqlStore`] in PostgreSQL.

use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use super::PostgresStore;
use crate::error::Result;
use crate::store::fault::database;
use crate::store::inbox::InboxKey;
use crate::store::message::OutboxMessage;
use crate::store::sql::{Entered, SqlStore, StoredIn};

/// A COMMIT after a statement that failed rolls back, and PostgreSQL says that it succeeded; so a statement comes before it,
/// which fails then, in the same round trip. The empty transaction behind it is there for `sqlx`, which expects one to end.
const COMMIT: &str = "SELECT 1; COMMIT AND CHAIN";

impl StoredIn for Postgres {
    type Store = PostgresStore;
}

impl SqlStore for PostgresStore {
    type Database = Postgres;

    fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// With the isolation that the statements of the inbox are made for, whatever the default of the database is.
    async fn begin(&self) -> Result<Transaction<'static, Postgres>> {
        let begun = self.pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE").await;
        begun.map_err(|error| database("begin a transaction", error))
    }

    async fn commit(&self, mut transaction: Transaction<'static, Postgres>) -> Result<()> {
        let committed = sqlx::raw_sql(COMMIT).execute(&mut *transaction).await;
        // What was chained is rolled back on the way into the pool.
        drop(transaction);
        committed.map(drop).map_err(|error| database("commit the transaction of a handler", error))
    }

    async fn write_messages(&self, connection: &mut PgConnection, messages: &[OutboxMessage]) -> Result<Vec<bool>> {
        let written = self.write(connection, messages).await;
        written.map_err(|error| database("write messages into the outbox", error))
    }

    async fn enter_handling(&self, connection: &mut PgConnection, key: &InboxKey) -> Result<Entered> {
        let entered = self.enter(connection, key).await;
        entered.map_err(|error| database("mark a message as handled in the inbox", error))
    }

    fn ring(&self) {
        self.bell.ring();
    }
}
