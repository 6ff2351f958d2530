//! Stores whose calls keep virtual time from moving on: a database takes real time.

use std::sync::mpsc::Sender;
use std::time::Duration;

use futures::future::BoxFuture;

use super::journal::hold_time;
use crate::error::Result;
use crate::store::{
    Claim, ClaimedMessage, DynInboxStore, DynOutboxStore, InboxDepth, InboxKey, Lead, OutboxDepth, SettledMessage,
    SharedInbox, SharedOutbox,
};

/// A store, and how long one of its calls may hold time.
pub(crate) struct Held<S>(S, Duration);

impl<S> Held<S> {
    pub(crate) fn new(store: S, limit: Duration) -> Self {
        Self(store, limit)
    }

    fn hold(&self) -> Sender<()> {
        hold_time(self.1)
    }
}

macro_rules! held {
    ($erased:ident for $shared:ident { $($name:ident($($argument:ident: $ty:ty),*) -> $output:ty;)* } $($rest:tt)*) => {
        impl $erased for Held<$shared> {
            $(fn $name<'a>(&'a self $(, $argument: $ty)*) -> BoxFuture<'a, Result<$output>> {
                Box::pin(async move {
                    let _held = self.hold();
                    self.0.$name($($argument),*).await
                })
            })*

            $($rest)*
        }
    };
}

held! { DynOutboxStore for SharedOutbox {
    check_outbox_tables() -> ();
    lead(relay: &'a str, lease: Duration, busy: &'a [u16]) -> Vec<Lead>;
    resign(relay: &'a str) -> ();
    claim(relay: &'a str, leads: &'a [Lead], limit: u32) -> Vec<ClaimedMessage>;
    settle(settled: &'a [SettledMessage]) -> u64;
    delete_sent(older_than: Duration, limit: u32) -> u64;
    outbox_depth() -> OutboxDepth;
}
    /// It waits for others, and time goes on.
    fn written<'a>(&'a self) -> BoxFuture<'a, Result<()>> {
        self.0.written()
    }
}

held! { DynInboxStore for SharedInbox {
    check_inbox_table() -> ();
    claim_handling(key: &'a InboxKey, lease: Duration) -> Claim;
    renew_handling(key: &'a InboxKey, fence: i64, lease: Duration) -> bool;
    finish_handling(key: &'a InboxKey, fence: i64) -> bool;
    give_handling_back(key: &'a InboxKey, fence: i64, error: &'a str) -> bool;
    fail_handling(key: &'a InboxKey, error: &'a str) -> ();
    delete_processed(older_than: Duration, limit: u32) -> u64;
    inbox_depth() -> InboxDepth;
} }
