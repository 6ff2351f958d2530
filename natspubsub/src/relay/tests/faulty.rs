//! A store whose database fails when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::store::{ClaimedMessage, FailedMessage, Lead, MemoryStore, OutboxDepth, OutboxStore, SettledMessage};

/// How often each call fails from now on.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) lead: AtomicU32,
    /// The messages are claimed, and nobody hears of it.
    pub(super) claim: AtomicU32,
    pub(super) settle: AtomicU32,
}

pub(super) const ALWAYS: u32 = u32::MAX;

#[derive(Clone)]
pub(super) struct Faulty {
    pub(super) store: MemoryStore,
    pub(super) faults: Arc<Faults>,
}

impl Faulty {
    pub(super) fn new(store: &MemoryStore) -> Self {
        Self { store: store.clone(), faults: Arc::default() }
    }
}

fn fails(left: &AtomicU32) -> Result<()> {
    let fewer = |left: u32| if left == ALWAYS { Some(left) } else { left.checked_sub(1) };
    match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer) {
        Ok(_) => Err(Error::new(ErrorKind::Database, "the database is away")),
        Err(_) => Ok(()),
    }
}

impl OutboxStore for Faulty {
    async fn check_outbox_tables(&self) -> Result<()> {
        Ok(())
    }

    async fn lead(&self, relay: &str, lease: Duration, busy: &[u16]) -> Result<Vec<Lead>> {
        fails(&self.faults.lead)?;
        self.store.lead(relay, lease, busy).await
    }

    async fn resign(&self, relay: &str) -> Result<()> {
        self.store.resign(relay).await
    }

    async fn claim(&self, relay: &str, leads: &[Lead], limit: u32) -> Result<Vec<ClaimedMessage>> {
        let claimed = self.store.claim(relay, leads, limit).await;
        if claimed.as_ref().is_ok_and(|claimed| !claimed.is_empty()) {
            fails(&self.faults.claim)?;
        }
        claimed
    }

    async fn settle(&self, settled: &[SettledMessage]) -> Result<u64> {
        fails(&self.faults.settle)?;
        self.store.settle(settled).await
    }

    async fn delete_sent(&self, older_than: Duration, limit: u32) -> Result<u64> {
        self.store.delete_sent(older_than, limit).await
    }

    async fn outbox_depth(&self) -> Result<OutboxDepth> {
        self.store.outbox_depth().await
    }

    async fn failed_messages(&self, limit: u32) -> Result<Vec<FailedMessage>> {
        self.store.failed_messages(limit).await
    }

    async fn retry_failed(&self, id: i64) -> Result<bool> {
        self.store.retry_failed(id).await
    }

    async fn written(&self) -> Result<()> {
        self.store.written().await
    }
}
