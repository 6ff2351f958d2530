//! Inbox and outbox: what a database keeps so that nothing is published twice or lost between it and the stream.

mod bell;
mod erased;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod fault;
mod inbox;
mod memory;
mod message;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod migrations;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod outage;
mod outbox;
mod parts;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod tables;

#[cfg(feature = "testing")]
pub(crate) use erased::{DynInboxStore, DynOutboxStore};
pub(crate) use erased::{SharedInbox, SharedOutbox};
pub use inbox::{Claim, InboxDepth, InboxKey, InboxStore};
pub use memory::MemoryStore;
pub use message::{OUTBOX_SHARDS, OutboxMessage};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use migrations::{MigratedStore, Migrations};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) use outage::is_outage;
pub use outbox::{ClaimedMessage, FailedMessage, Lead, MessageEnd, OutboxDepth, OutboxStore, SettledMessage};
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use sql::{Entered, SqlStore, StoredIn};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use tables::Tables;

/// The guide, whose examples are tests.
#[cfg(all(doctest, feature = "postgres", feature = "sqlite"))]
#[doc = include_str!("../../../docs/transactions.md")]
struct Guide;
