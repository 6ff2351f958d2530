//! What a consumer needs of a store.

use std::future::Future;
use std::time::Duration;

use crate::error::Result;
use crate::message::Context;
use crate::message::headers::{MESSAGE_ID, dead_letter};

/// Which handling a row of an inbox is about: of one event, by one consumer.
///
/// ```
/// let key = natspubsub::store::InboxKey::new("orders-reserve_stock", "order-created-1");
/// assert_eq!(key.consumer, "orders-reserve_stock");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InboxKey {
    /// The durable name of the consumer.
    pub consumer: String,
    /// The id of the event.
    pub event_id: String,
}

impl InboxKey {
    /// The handling of an event by a consumer.
    pub fn new(consumer: impl Into<String>, event_id: impl Into<String>) -> Self {
        Self { consumer: consumer.into(), event_id: event_id.into() }
    }

    /// The handling of a delivered message. An id that follows from a message's place is told apart from that of a stream
    /// which was made again and counts anew.
    pub(crate) fn of(context: &Context) -> Self {
        let event_id = context.event_id();
        let is_placed = is_place(event_id, context.stream(), &context.sequence().to_string());
        let letter = context.headers().get(dead_letter::MARK).and_then(|_| context.headers().get(MESSAGE_ID));
        match letter {
            // One event can become the dead letter of several consumers.
            Some(id) => Self::new(context.durable(), of_letter(id, context)),
            None if is_placed => Self::new(context.durable(), format!("{event_id}@{}", context.stored_at())),
            None => Self::new(context.durable(), event_id),
        }
    }
}

/// The id of a dead letter names the place of the original, which another message has in a stream that was made again.
fn of_letter(id: &str, context: &Context) -> String {
    let original = |name| context.headers().get(name).unwrap_or_default();
    let [event_id, stream, sequence] =
        [dead_letter::EVENT_ID, dead_letter::ORIGINAL_STREAM, dead_letter::ORIGINAL_SEQUENCE].map(original);
    match event_id.is_empty() || is_place(event_id, stream, sequence) {
        true => format!("{id}@{}", context.stored_at()),
        false => format!("{id}@{event_id}"),
    }
}

/// Whether an event's id is `{stream}:{sequence}`.
fn is_place(event_id: &str, stream: &str, sequence: &str) -> bool {
    event_id.strip_prefix(stream).and_then(|rest| rest.strip_prefix(':')) == Some(sequence)
}

/// What a claim of a handling says.
///
/// ```
/// use natspubsub::store::Claim;
/// assert_ne!(Claim::Mine { fence: 1 }, Claim::Processed);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is the caller's, until the lease is over.
    Mine {
        /// Grows with every claim: whoever holds an older one cannot finish any more.
        fence: i64,
    },
    /// It was handled before.
    Processed,
    /// Somebody else is at it.
    Busy {
        /// How long their lease lasts.
        remaining: Duration,
    },
}

/// How full an inbox is.
///
/// ```
/// assert_eq!(natspubsub::store::InboxDepth::default().failed, 0);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InboxDepth {
    /// Handlings that run, or that died.
    pub processing: u64,
    /// Handlings that ended as dead letters.
    pub failed: u64,
}

/// A database that remembers what was handled.
///
/// The statuses are `processing → processed | failed`. All times are those of the database's clock.
///
/// Whoever implements this for another database runs `natspubsub::testing::stores::check_inbox` on it.
///
/// ```
/// use natspubsub::store::{Claim, InboxKey, InboxStore, MemoryStore};
/// use std::time::Duration;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> natspubsub::Result {
/// let (store, key) = (MemoryStore::new(), InboxKey::new("orders-reserve", "e-1"));
/// let Claim::Mine { fence } = store.claim_handling(&key, Duration::from_secs(30)).await? else { unreachable!() };
/// assert!(store.finish_handling(&key, fence).await?);
/// assert_eq!(store.claim_handling(&key, Duration::from_secs(30)).await?, Claim::Processed);
/// # Ok(())
/// # }
/// ```
pub trait InboxStore: Send + Sync + 'static {
    /// Whether the table is there, in the form that this release needs.
    ///
    /// # Errors
    /// [`ErrorKind::Database`](crate::ErrorKind::Database) with what is missing and how to make it.
    fn check_inbox_table(&self) -> impl Future<Output = Result<()>> + Send;

    /// Claims a handling for the time of a lease: one that is new, one whose lease is over, or one that `failed`.
    ///
    /// # Errors
    /// [`ErrorKind::Database`](crate::ErrorKind::Database) when the database does not answer.
    fn claim_handling(&self, key: &InboxKey, lease: Duration) -> impl Future<Output = Result<Claim>> + Send;

    /// Begins the lease anew; `false` when somebody else has the handling by now.
    ///
    /// # Errors
    /// As [`InboxStore::claim_handling`].
    fn renew_handling(&self, key: &InboxKey, fence: i64, lease: Duration) -> impl Future<Output = Result<bool>> + Send;

    /// The handling is `processed`; `false` when somebody else has it by now.
    ///
    /// # Errors
    /// As [`InboxStore::claim_handling`].
    fn finish_handling(&self, key: &InboxKey, fence: i64) -> impl Future<Output = Result<bool>> + Send;

    /// Ends the lease now and keeps the error, so that the next attempt can begin; `false` when somebody else has it by now.
    ///
    /// # Errors
    /// As [`InboxStore::claim_handling`].
    fn give_handling_back(&self, key: &InboxKey, fence: i64, error: &str) -> impl Future<Output = Result<bool>> + Send;

    /// The message became a dead letter: the handling is `failed`, unless it is `processed`. A replayed dead letter claims it
    /// again.
    ///
    /// # Errors
    /// As [`InboxStore::claim_handling`].
    fn fail_handling(&self, key: &InboxKey, error: &str) -> impl Future<Output = Result<()>> + Send;

    /// Deletes handlings that were processed longer ago, at most `limit`; how many they were.
    ///
    /// # Errors
    /// As [`InboxStore::claim_handling`].
    fn delete_processed(&self, older_than: Duration, limit: u32) -> impl Future<Output = Result<u64>> + Send;

    /// How full it is.
    ///
    /// # Errors
    /// As [`InboxStore::claim_handling`].
    fn inbox_depth(&self) -> impl Future<Output = Result<InboxDepth>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Headers;

    /// The id under which the dead letter of message 7 is handled.
    fn handled(event_id: &str) -> String {
        let mut headers = Headers::default();
        headers.push_own(dead_letter::MARK, "true".to_owned());
        headers.push_own(MESSAGE_ID, "dlq:s:7:orders-pay".to_owned());
        headers.push_own(dead_letter::EVENT_ID, event_id.to_owned());
        headers.push_own(dead_letter::ORIGINAL_STREAM, "s".to_owned());
        headers.push_own(dead_letter::ORIGINAL_SEQUENCE, "7".to_owned());
        InboxKey::of(&Context::sample_with(headers)).event_id
    }

    #[test]
    fn the_dead_letters_of_two_events_at_one_place_are_two() {
        assert_eq!(handled("e-1"), "dlq:s:7:orders-pay@e-1");
        assert_ne!(handled("e-1"), handled("e-2"));
        assert_eq!(handled("s:7"), "dlq:s:7:orders-pay@1970-01-01T00:00:00Z");
    }
}
