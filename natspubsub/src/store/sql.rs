//! What the transactions of a handler and of an outbox need of a store behind `sqlx`.

use std::future::Future;

use super::inbox::{InboxKey, InboxStore};
use super::message::OutboxMessage;
use super::outbox::OutboxStore;
use crate::error::Result;

/// Whether a handling may go on in its transaction.
///
/// ```
/// assert_ne!(natspubsub::store::Entered::First, natspubsub::store::Entered::Processed);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    /// Nobody has handled it: its row is written, and holds once the transaction is committed.
    First,
    /// It was handled before.
    Processed,
    /// Another transaction is at it and has not ended.
    Busy,
}

/// A store in a database of `sqlx`: its rows can be written in the transaction of the caller.
///
/// ```
/// use natspubsub::store::SqlStore;
/// fn connections<S: SqlStore>(store: &S) -> u32 {
///     store.pool().size()
/// }
/// ```
pub trait SqlStore: OutboxStore + InboxStore + Clone {
    /// The database.
    type Database: sqlx::Database;

    /// The connections that it works on.
    fn pool(&self) -> &sqlx::Pool<Self::Database>;

    /// Begins a transaction that will write.
    ///
    /// # Errors
    /// [`ErrorKind::Database`](crate::ErrorKind::Database) when the database does not answer.
    fn begin(&self) -> impl Future<Output = Result<sqlx::Transaction<'static, Self::Database>>> + Send;

    /// Commits a transaction of a handler. Where a database commits nothing of a transaction in which a statement failed, and
    /// does not call that an error, this is one.
    ///
    /// # Errors
    /// As [`SqlStore::begin`]; whether it is committed may then be unknown.
    fn commit(
        &self,
        transaction: sqlx::Transaction<'static, Self::Database>,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(transaction.commit().await?) }
    }

    /// Writes messages into the outbox, in the caller's transaction; for each whether it is new. One whose message id is there
    /// already is left out.
    ///
    /// # Errors
    /// As [`SqlStore::begin`].
    fn write_messages(
        &self,
        connection: &mut <Self::Database as sqlx::Database>::Connection,
        messages: &[OutboxMessage],
    ) -> impl Future<Output = Result<Vec<bool>>> + Send;

    /// The subject that the outbox has a message id for, `None` when it has none; asked for an id that was not new.
    ///
    /// # Errors
    /// As [`SqlStore::begin`].
    fn written_subject(
        &self,
        connection: &mut <Self::Database as sqlx::Database>::Connection,
        message_id: &str,
    ) -> impl Future<Output = Result<Option<String>>> + Send;

    /// Marks a handling as `processed`, in the transaction that it happens in. A `failed` one is new.
    ///
    /// # Errors
    /// As [`SqlStore::begin`].
    fn enter_handling(
        &self,
        connection: &mut <Self::Database as sqlx::Database>::Connection,
        key: &InboxKey,
    ) -> impl Future<Output = Result<Entered>> + Send;

    /// Tells relays of this process that something was written: called when a transaction with messages was committed, and
    /// when one may be committed soon.
    fn ring(&self);
}

/// A database of `sqlx` that comes with a store: PostgreSQL and SQLite.
///
/// ```
/// fn name<DB: natspubsub::store::StoredIn>() -> &'static str {
///     <DB as sqlx::Database>::NAME
/// }
/// ```
pub trait StoredIn: sqlx::Database {
    /// Its store.
    type Store: SqlStore<Database = Self>;
}
