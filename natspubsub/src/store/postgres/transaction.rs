//! [`SqlStore`] in PostgreSQL.

use sqlx::{Connection, PgConnection, PgPool, Postgres, Transaction};

use super::{PostgresStore, text};
use crate::error::{Error, ErrorKind, Result};
use crate::store::fault::database;
use crate::store::inbox::InboxKey;
use crate::store::message::OutboxMessage;
use crate::store::sql::{Entered, SqlStore, StoredIn};

const BEGIN: &str = "BEGIN";

/// As [`BEGIN`], where the defaults are others than those that the statements of the inbox are made for.
const BEGIN_EXPLICIT: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// A COMMIT after a statement that failed rolls back, and PostgreSQL says that it succeeded; so does one without a
/// transaction, where the handler has ended its own. A savepoint in the same round trip fails in both cases, and then
/// nothing behind it is done. The next transaction is for the next handler, or for `sqlx`, which expects one to end.
const COMMIT: &str = "SAVEPOINT natspubsub_end; COMMIT; BEGIN";

/// As [`COMMIT`] for [`BEGIN_EXPLICIT`]. Nothing of the transaction before goes over to the next, as it would with a chain.
const COMMIT_EXPLICIT: &str = "SAVEPOINT natspubsub_end; COMMIT; BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

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
        if let Some(kept) = self.kept.take() {
            return Ok(kept);
        }
        let begun = async {
            let begin = if self.begins_by_default().await? { BEGIN } else { BEGIN_EXPLICIT };
            self.pool.begin_with(begin).await
        };
        begun.await.map_err(|error| database("begin a transaction", error))
    }

    async fn commit(&self, mut transaction: Transaction<'static, Postgres>) -> Result<()> {
        if !transaction.is_in_transaction() {
            // `sqlx` rolls back when `begin` on the connection fails or is dropped.
            let text = "the transaction of the handler has ended before the handler, and nothing of it is committed";
            return Err(Error::new(ErrorKind::Database, text));
        }
        let is_default = self.shared.begins_by_default.get().copied().unwrap_or(false);
        let committed = sqlx::raw_sql(if is_default { COMMIT } else { COMMIT_EXPLICIT }).execute(&mut *transaction);
        committed.await.map_err(|error| database("commit the transaction of a handler", error))?;
        if self.shared.keeps && self.has_room() {
            self.kept.put(transaction);
        }
        Ok(())
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
    /// Whether a plain BEGIN begins with the isolation that the statements of the inbox are made for.
    async fn begins_by_default(&self) -> sqlx::Result<bool> {
        let asked =
            self.shared.begins_by_default.get_or_try_init(|| sqlx::query_scalar(IS_DEFAULT).fetch_one(&self.pool));
        asked.await.copied()
    }

    /// Whether the pool has a connection for whoever asks next, so that one can be kept from it.
    fn has_room(&self) -> bool {
        let is_free = self.pool.num_idle() > 0 || self.pool.size() < self.pool.options().get_max_connections();
        is_free && !self.pool.is_closed()
    }
}
