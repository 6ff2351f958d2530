//! Inbox and outbox: what a database keeps so that nothing is published twice or lost between it and the stream.

mod erased;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod fault;
mod inbox;
mod message;
mod outbox;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;

pub(crate) use erased::{DynInboxStore, DynOutboxStore, SharedInbox, SharedOutbox};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) use fault::is_outage;
pub use inbox::{Claim, InboxDepth, InboxKey, InboxStore};
pub use message::{OUTBOX_SHARDS, OutboxMessage};
pub use outbox::{ClaimedMessage, FailedMessage, Lead, MessageEnd, OutboxDepth, OutboxStore, SettledMessage};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use sql::{Entered, SqlStore, StoredIn};
