//! The one argument that a handler takes by reference: its transaction.

use super::delivery::Delivery;
use super::extract::Requirement;
use super::failure::Failure;
use super::outcome::Outcome;

/// Whether a handler may run.
#[derive(Debug)]
pub enum Begun<T> {
    /// In this transaction.
    First(T),
    /// It was handled before.
    Processed,
}

/// What a handler can take by mutable reference.
#[diagnostic::on_unimplemented(
    message = "`&mut {Self}` cannot be an argument of a handler",
    label = "not a transaction",
    note = "only the transaction is taken by reference: `tx: &mut Tx<Postgres>` or `tx: &mut Tx<Sqlite>`, with the feature `postgres` or `sqlite` of natspubsub; take anything else by value"
)]
pub trait TakesTransaction: Sized + Send {
    /// What the application must provide; checked at start.
    fn requirement() -> Option<Requirement>;

    /// Begins it. With `inbox` the message is marked as handled in it.
    fn begin(delivery: &Delivery, inbox: bool) -> impl Future<Output = Result<Begun<Self>, Failure>> + Send;

    /// Commits it when the handler succeeded; else nothing of it remains.
    fn end(self, outcome: Outcome) -> impl Future<Output = Outcome> + Send;
}
