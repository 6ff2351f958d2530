//! [`OutboxStore`] and [`InboxStore`] behind pointers.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::inbox::{Claim, InboxDepth, InboxKey, InboxStore};
use super::outbox::{ClaimedMessage, Lead, OutboxDepth, OutboxStore, SettledMessage};
use crate::error::Result;

pub(crate) type SharedOutbox = Arc<dyn DynOutboxStore>;
pub(crate) type SharedInbox = Arc<dyn DynInboxStore>;

macro_rules! erased {
    ($erased:ident of $of:ident { $($name:ident($($argument:ident: $ty:ty),*) -> $output:ty;)* }) => {
        pub(crate) trait $erased: Send + Sync + 'static {
            $(fn $name<'a>(&'a self $(, $argument: $ty)*) -> BoxFuture<'a, Result<$output>>;)*
        }

        impl<S: $of> $erased for S {
            $(fn $name<'a>(&'a self $(, $argument: $ty)*) -> BoxFuture<'a, Result<$output>> {
                Box::pin(<S as $of>::$name(self $(, $argument)*))
            })*
        }
    };
}

erased! { DynOutboxStore of OutboxStore {
    check_outbox_tables() -> ();
    lead(relay: &'a str, lease: Duration, busy: &'a [u16]) -> Vec<Lead>;
    resign(relay: &'a str) -> ();
    claim(relay: &'a str, leads: &'a [Lead], limit: u32) -> Vec<ClaimedMessage>;
    settle(settled: &'a [SettledMessage]) -> u64;
    delete_sent(older_than: Duration, limit: u32) -> u64;
    outbox_depth() -> OutboxDepth;
    written() -> ();
} }

erased! { DynInboxStore of InboxStore {
    check_inbox_table() -> ();
    claim_handling(key: &'a InboxKey, lease: Duration) -> Claim;
    renew_handling(key: &'a InboxKey, fence: i64, lease: Duration) -> bool;
    finish_handling(key: &'a InboxKey, fence: i64) -> bool;
    give_handling_back(key: &'a InboxKey, fence: i64, error: &'a str) -> bool;
    fail_handling(key: &'a InboxKey, error: &'a str) -> ();
    delete_processed(older_than: Duration, limit: u32) -> u64;
    inbox_depth() -> InboxDepth;
} }
