//! [`SqlStore`] in PostgreSQL.

use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use super::{PostgresStore, text};
use crate::error::Result;
use crate::store::fault::database;
use crate::store::inbox::InboxKey;
use crate::store::message::OutboxMessage;
use crate::store::sql::{Entered, SqlStore, StoredIn};

/// A COMMIT after a statement that failed rolls back, and PostgreSQL says that it succeeded; so a statement comes before it,
/// which fails then, in the same round trip. The empty transaction behind it is there for `sqlx`, which expects one to end.
const COMMIT: &str = "SELECT 1; COMMIT AND CHAIN";

/// Asked once, because a BEGIN that names what is the default anyway takes PostgreSQL longer than a plain one.
const IS_DEFAULT: &str = "\
SELECT current_setting('default_transaction_isolation') = 'read committed' AND current_setting('default_transaction_read_only') = 'off'";

const WRITTEN_SUBJECT: &str = "SELECT subject FROM natspubsub_outbox WHERE message_id = $1";

impl StoredIn for Postgres {
    type Store = PostgresStore;
}

impl SqlStore for PostgresStore {
    type Database = Postgres;

    fn pool(&self) -> &PgPool {
        &self.pool
    }

    async fn begin(&self) -> Result<Transaction<'static, Postgres>> {
        let begun = async { self.pool.begin_with(self.begin_statement().await?).await };
        begun.await.map_err(|error| database("begin a transaction", error))
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

    async fn written_subject(&self, connection: &mut PgConnection, message_id: &str) -> Result<Option<String>> {
        let subject = sqlx::query_scalar(self.sql(WRITTEN_SUBJECT)).bind(text(message_id)).fetch_optional(connection);
        subject.await.map_err(|error| database("read a message of the outbox", error))
    }

    async fn enter_handling(&self, connection: &mut PgConnection, key: &InboxKey) -> Result<Entered> {
        let entered = self.enter(connection, key).await;
        entered.map_err(|error| database("mark a message as handled in the inbox", error))
    }

    fn ring(&self) {
        self.bell.ring();
    }
}

impl PostgresStore {
    /// Begins a transaction with the isolation that the statements of the inbox are made for.
    async fn begin_statement(&self) -> sqlx::Result<&'static str> {
        let is_default =
            self.shared.begins_by_default.get_or_try_init(|| sqlx::query_scalar(IS_DEFAULT).fetch_one(&self.pool));
        Ok(match is_default.await? {
            true => "BEGIN",
            false => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        })
    }
}
