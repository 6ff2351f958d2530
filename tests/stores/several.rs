//! Several stores on one database, as several processes have them: each call goes to the next one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use natspubsub::Result;
use natspubsub::store::{
    Claim, ClaimedMessage, FailedMessage, InboxDepth, InboxKey, InboxStore, Lead, OutboxDepth, OutboxStore,
    SettledMessage,
};

/// What one of them remembers and does not write, the others do not know.
pub(crate) struct Several<S> {
    stores: Vec<S>,
    calls: AtomicUsize,
}

impl<S> Several<S> {
    pub(crate) fn of(stores: Vec<S>) -> Self {
        Self { stores, calls: AtomicUsize::new(0) }
    }

    pub(crate) fn next(&self) -> &S {
        &self.stores[self.calls.fetch_add(1, Ordering::Relaxed) % self.stores.len()]
    }
}

impl<S: OutboxStore> OutboxStore for Several<S> {
    async fn check_outbox_tables(&self) -> Result<()> {
        self.next().check_outbox_tables().await
    }

    async fn lead(&self, relay: &str, lease: Duration, busy: &[u16]) -> Result<Vec<Lead>> {
        self.next().lead(relay, lease, busy).await
    }

    async fn resign(&self, relay: &str) -> Result<()> {
        self.next().resign(relay).await
    }

    async fn claim(&self, relay: &str, leads: &[Lead], limit: u32) -> Result<Vec<ClaimedMessage>> {
        self.next().claim(relay, leads, limit).await
    }

    async fn settle(&self, settled: &[SettledMessage]) -> Result<u64> {
        self.next().settle(settled).await
    }

    async fn delete_sent(&self, older_than: Duration, limit: u32) -> Result<u64> {
        self.next().delete_sent(older_than, limit).await
    }

    async fn outbox_depth(&self) -> Result<OutboxDepth> {
        self.next().outbox_depth().await
    }

    async fn failed_messages(&self, limit: u32) -> Result<Vec<FailedMessage>> {
        self.next().failed_messages(limit).await
    }

    async fn retry_failed(&self, id: i64) -> Result<bool> {
        self.next().retry_failed(id).await
    }
}

impl<S: InboxStore> InboxStore for Several<S> {
    async fn check_inbox_table(&self) -> Result<()> {
        self.next().check_inbox_table().await
    }

    async fn claim_handling(&self, key: &InboxKey, lease: Duration) -> Result<Claim> {
        self.next().claim_handling(key, lease).await
    }

    async fn renew_handling(&self, key: &InboxKey, fence: i64, lease: Duration) -> Result<bool> {
        self.next().renew_handling(key, fence, lease).await
    }

    async fn finish_handling(&self, key: &InboxKey, fence: i64) -> Result<bool> {
        self.next().finish_handling(key, fence).await
    }

    async fn give_handling_back(&self, key: &InboxKey, fence: i64, error: &str) -> Result<bool> {
        self.next().give_handling_back(key, fence, error).await
    }

    async fn fail_handling(&self, key: &InboxKey, error: &str) -> Result<()> {
        self.next().fail_handling(key, error).await
    }

    async fn delete_processed(&self, older_than: Duration, limit: u32) -> Result<u64> {
        self.next().delete_processed(older_than, limit).await
    }

    async fn inbox_depth(&self) -> Result<InboxDepth> {
        self.next().inbox_depth().await
    }
}
