//! What can be written into together with a message.

use super::Tx;
use crate::store::StoredIn;

/// A transaction of `sqlx`, or its connection: what an outbox can write into.
///
/// ```
/// use natspubsub::prelude::*;
/// use natspubsub::store::PostgresStore;
///
/// async fn announce(tx: &mut impl InTransaction<sqlx::Postgres>, outbox: &Outbox<PostgresStore>) -> natspubsub::Result {
///     outbox.message("Ann").topic("user.created").publish(tx).await?;
///     Ok(())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no transaction of the outbox's database",
    label = "not a transaction",
    note = "begin one with `pool.begin().await?`, pass `&mut tx`, and commit it: the message belongs to what is committed with it"
)]
pub trait InTransaction<DB: sqlx::Database>: Send {
    /// The connection that the transaction is on.
    fn connection(&mut self) -> &mut DB::Connection;

    /// Notes that messages were written: whether relays will be told once it is committed. Else they are told at once, and
    /// look until it is.
    #[doc(hidden)]
    fn will_tell(&mut self) -> bool {
        false
    }
}

impl<DB: sqlx::Database> InTransaction<DB> for sqlx::Transaction<'_, DB> {
    fn connection(&mut self) -> &mut DB::Connection {
        self
    }
}

impl<DB: StoredIn> InTransaction<DB> for Tx<DB> {
    fn connection(&mut self) -> &mut DB::Connection {
        self
    }

    fn will_tell(&mut self) -> bool {
        self.has_written = true;
        true
    }
}

#[cfg(feature = "postgres")]
impl InTransaction<sqlx::Postgres> for sqlx::PgConnection {
    fn connection(&mut self) -> &mut Self {
        self
    }
}

#[cfg(feature = "sqlite")]
impl InTransaction<sqlx::Sqlite> for sqlx::SqliteConnection {
    fn connection(&mut self) -> &mut Self {
        self
    }
}
