//! What a relay needs of a store.

use std::future::{Future, pending};
use std::time::Duration;

use super::message::OutboxMessage;
use crate::error::Result;

/// A shard that a relay leads: only it hands the messages of this shard to the stream, until the lease is over.
///
/// ```
/// let lead = natspubsub::store::Lead { shard: 3, epoch: 17 };
/// assert!(lead.shard < natspubsub::store::OUTBOX_SHARDS);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lead {
    /// The shard, from 0.
    pub shard: u16,
    /// Grows by one with every change of the leader, so that an old leader cannot write any more.
    pub epoch: i64,
}

/// A message that a relay has claimed: its status is `publishing`.
///
/// ```
/// fn is_first_try(claimed: &natspubsub::store::ClaimedMessage) -> bool {
///     claimed.first_claimed.is_none()
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedMessage {
    /// Its number in the outbox: grows in the order in which messages of one key were written.
    pub id: i64,
    /// Under which lead it was claimed.
    pub lead: Lead,
    /// How often it failed so far, [`MessageEnd::Failed`] and counted [`MessageEnd::Retry`].
    pub attempts: u32,
    /// How long ago it was written.
    pub age: Duration,
    /// How long ago a relay claimed it for the first time; `None` when this is the first time.
    pub first_claimed: Option<Duration>,
    /// What is sent.
    pub message: OutboxMessage,
}

/// What became of a claimed message.
///
/// ```
/// use natspubsub::store::MessageEnd;
/// let end = MessageEnd::Failed { error: "the subject contains white space".into() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageEnd {
    /// The stream has confirmed it: `sent`.
    Sent,
    /// It goes back to `pending`, and no message of its key behind it leaves before it.
    Retry {
        /// How long it stays there at least.
        after: Duration,
        /// Why.
        error: String,
        /// Whether this counts as one of its attempts.
        counted: bool,
    },
    /// Nothing will help: `failed`, until somebody looks. Messages of its key behind it go on.
    Failed {
        /// Why.
        error: String,
    },
}

/// A claimed message and what became of it.
///
/// ```
/// use natspubsub::store::{Lead, MessageEnd, SettledMessage};
/// let settled = SettledMessage { id: 7, lead: Lead { shard: 0, epoch: 1 }, end: MessageEnd::Sent };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledMessage {
    /// Its number in the outbox.
    pub id: i64,
    /// Under which lead it was claimed.
    pub lead: Lead,
    /// What became of it.
    pub end: MessageEnd,
}

/// How full an outbox is.
///
/// ```
/// let depth = natspubsub::store::OutboxDepth::default();
/// assert_eq!(depth.pending, 0);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutboxDepth {
    /// Messages that wait, `pending` and `publishing`, those with a delay included.
    pub pending: u64,
    /// Messages that nothing will help: `failed`.
    pub failed: u64,
    /// How long the oldest waiting message could have been sent already.
    pub oldest: Option<Duration>,
}

/// A message that will not be sent, with the reason.
///
/// ```
/// fn print(failed: &natspubsub::store::FailedMessage) {
///     println!("{} for {}: {}", failed.event_id, failed.subject, failed.error);
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedMessage {
    /// Its number in the outbox.
    pub id: i64,
    /// The id of the event.
    pub event_id: String,
    /// The subject that it was for.
    pub subject: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it is not sent.
    pub error: String,
}

/// A database that keeps messages until a relay has published them.
///
/// The statuses are `pending → publishing → sent | failed`. All times are those of the database's clock. Everything here is
/// done by relays; writing a message belongs to the transaction of the caller, which is each store's own.
///
/// Whoever implements this for another database runs `natspubsub::testing::stores::check_outbox` on it.
///
/// ```
/// use natspubsub::store::{MemoryStore, OutboxStore};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> natspubsub::Result {
/// let store = MemoryStore::new();
/// assert_eq!(store.outbox_depth().await?.pending, 0);
/// # Ok(())
/// # }
/// ```
pub trait OutboxStore: Send + Sync + 'static {
    /// Whether the tables are there, in the form that this release needs.
    ///
    /// # Errors
    /// [`ErrorKind::Database`](crate::ErrorKind::Database) with what is missing and how to make it.
    fn check_outbox_tables(&self) -> impl Future<Output = Result<()>> + Send;

    /// Renews what this relay leads, and takes what it may: every shard whose lease is over, until each living relay has an
    /// equal part. What it leads beyond its part it gives up, except `busy` shards, of which it has messages in hand.
    ///
    /// A relay is known by its name from the first call on, and forgotten when it has not called for a `lease`. A shard that
    /// changes its leader gets the next epoch, and what the leader before left `publishing` is `pending` again, at once.
    ///
    /// # Errors
    /// [`ErrorKind::Database`](crate::ErrorKind::Database) when the database does not answer.
    fn lead(&self, relay: &str, lease: Duration, busy: &[u16]) -> impl Future<Output = Result<Vec<Lead>>> + Send;

    /// Gives up everything that this relay leads, and forgets it.
    ///
    /// # Errors
    /// As [`OutboxStore::lead`].
    fn resign(&self, relay: &str) -> impl Future<Output = Result<()>> + Send;

    /// Claims messages that may be sent now, the oldest first, at most `limit`: they become `publishing`.
    ///
    /// Only of shards whose lease, by the database, is this relay's with this epoch and not over. Not those whose delay
    /// is not over, nor those behind a message of their key that waits to be tried again.
    ///
    /// # Errors
    /// As [`OutboxStore::lead`].
    fn claim(
        &self,
        relay: &str,
        leads: &[Lead],
        limit: u32,
    ) -> impl Future<Output = Result<Vec<ClaimedMessage>>> + Send;

    /// Writes down what became of claimed messages; how many of them were still this lead's, `publishing`. The others are not
    /// touched: another leader has them.
    ///
    /// # Errors
    /// As [`OutboxStore::lead`].
    fn settle(&self, settled: &[SettledMessage]) -> impl Future<Output = Result<u64>> + Send;

    /// Deletes messages that were sent longer ago, at most `limit`; how many they were.
    ///
    /// # Errors
    /// As [`OutboxStore::lead`].
    fn delete_sent(&self, older_than: Duration, limit: u32) -> impl Future<Output = Result<u64>> + Send;

    /// How full it is.
    ///
    /// # Errors
    /// As [`OutboxStore::lead`].
    fn outbox_depth(&self) -> impl Future<Output = Result<OutboxDepth>> + Send;

    /// Messages that are `failed`, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// As [`OutboxStore::lead`].
    fn failed_messages(&self, limit: u32) -> impl Future<Output = Result<Vec<FailedMessage>>> + Send;

    /// Makes a `failed` message `pending` again with no attempts used; whether there was one.
    ///
    /// # Errors
    /// As [`OutboxStore::lead`].
    fn retry_failed(&self, id: i64) -> impl Future<Output = Result<bool>> + Send;

    /// Ends when something was written since the last call, as far as the store can tell. It may end too often, and a
    /// write may be committed only after it has ended. Without a way to know it never ends, and the relay looks from time
    /// to time.
    ///
    /// # Errors
    /// As [`OutboxStore::lead`]; the relay then looks from time to time, and calls it again.
    fn written(&self) -> impl Future<Output = Result<()>> + Send {
        pending()
    }
}
