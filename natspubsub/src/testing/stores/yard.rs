//! What the rules of an outbox are tried on.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;

use super::report::{Broken, Kept, expect, expect_that};
use crate::clock::{SharedClock, SystemClock};
use crate::error::Result;
use crate::store::{ClaimedMessage, Lead, MessageEnd, OUTBOX_SHARDS, OutboxMessage, OutboxStore, SettledMessage};

/// A lease that no rule outlives.
pub(super) const LONG: Duration = Duration::from_secs(600);
/// A lease or pause whose end is waited for.
pub(super) const SHORT: Duration = Duration::from_millis(400);
/// How long something that must happen is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// A store, and how to write into it.
pub(super) struct Ground<'a, S, W> {
    store: S,
    write: &'a W,
    clock: SharedClock,
}

impl<'a, S, W> Ground<'a, S, W> {
    pub(super) fn new(store: S, write: &'a W) -> Self {
        Self { store, write, clock: SystemClock::shared() }
    }
}

/// What a rule does with it.
pub(super) trait Yard {
    type Store: OutboxStore;

    fn store(&self) -> &Self::Store;

    fn clock(&self) -> &SharedClock;

    async fn write(&self, messages: Vec<OutboxMessage>);

    /// Everything, for a relay that is alone, for long.
    async fn lead_all(&self, relay: &str) -> Result<Vec<Lead>> {
        self.store().lead(relay, LONG, &[]).await
    }

    /// What can be claimed now, at most a thousand.
    async fn claim(&self, relay: &str, leads: &[Lead]) -> Result<Vec<ClaimedMessage>> {
        self.store().claim(relay, leads, 1000).await
    }

    /// What can be claimed now, which must be just these.
    async fn claim_just(&self, relay: &str, leads: &[Lead], expected: &[&str]) -> Result<Vec<ClaimedMessage>, Broken> {
        let claimed = self.claim(relay, leads).await?;
        expect("claimed messages", expected, &*ids(&claimed))?;
        Ok(claimed)
    }

    async fn settle(&self, claimed: &ClaimedMessage, end: MessageEnd) -> Result<u64> {
        self.store().settle(&[settled(claimed, end)]).await
    }

    /// Claims until as many messages have come as are expected; fewer when no more come.
    async fn claim_until(&self, relay: &str, leads: &[Lead], count: usize) -> Result<Vec<ClaimedMessage>> {
        let begin = self.clock().monotonic();
        let mut claimed = self.claim(relay, leads).await?;
        while claimed.len() < count && !self.is_over(begin, PATIENCE) {
            self.clock().sleep(LOOK).await;
            claimed.extend(self.claim(relay, leads).await?);
        }
        Ok(claimed)
    }

    /// Leads until it has as many shards as are expected; another number when it stays so.
    async fn lead_until(&self, relay: &str, lease: Duration, count: usize) -> Result<Vec<Lead>> {
        let begin = self.clock().monotonic();
        let mut leads = self.store().lead(relay, lease, &[]).await?;
        while leads.len() != count && !self.is_over(begin, PATIENCE) {
            self.clock().sleep(LOOK).await;
            leads = self.store().lead(relay, lease, &[]).await?;
        }
        Ok(leads)
    }

    /// Whether `time` has passed since `begin`, by the clock of this machine.
    fn is_over(&self, begin: Duration, time: Duration) -> bool {
        self.clock().monotonic() >= begin + time
    }
}

impl<S: OutboxStore, W: AsyncFn(&S, Vec<OutboxMessage>)> Yard for Ground<'_, S, W> {
    type Store = S;

    fn store(&self) -> &S {
        &self.store
    }

    fn clock(&self) -> &SharedClock {
        &self.clock
    }

    async fn write(&self, messages: Vec<OutboxMessage>) {
        (self.write)(&self.store, messages).await;
    }
}

/// A message without a key.
pub(super) fn message(id: &str) -> OutboxMessage {
    OutboxMessage {
        event_id: format!("event-{id}"),
        message_id: id.to_owned(),
        subject: "test.shop.order.created".into(),
        key: None,
        headers: [("Nats-Msg-Id".to_owned(), id.to_owned())].into_iter().collect(),
        body: Bytes::from_static(b"{}"),
        delay: Duration::ZERO,
    }
}

/// A message with a key.
pub(super) fn keyed(id: &str, key: &str) -> OutboxMessage {
    OutboxMessage { key: Some(key.to_owned()), ..message(id) }
}

/// As many messages, each with a key of its own.
pub(super) fn many(count: usize) -> Vec<OutboxMessage> {
    (0..count).map(|number| keyed(&format!("m-{number:04}"), &format!("key-{number}"))).collect()
}

/// Another try after a pause.
pub(super) fn retry(after: Duration) -> MessageEnd {
    MessageEnd::Retry { after, error: "not now".into(), counted: true }
}

/// The end without hope.
pub(super) fn failed(error: &str) -> MessageEnd {
    MessageEnd::Failed { error: error.to_owned() }
}

pub(super) fn settled(claimed: &ClaimedMessage, end: MessageEnd) -> SettledMessage {
    SettledMessage { id: claimed.id, lead: claimed.lead, end }
}

/// Their message ids, in their order.
pub(super) fn ids(claimed: &[ClaimedMessage]) -> Vec<&str> {
    claimed.iter().map(|claimed| claimed.message.message_id.as_str()).collect()
}

/// Their numbers, without order.
pub(super) fn shards(leads: &[Lead]) -> BTreeSet<u16> {
    leads.iter().map(|lead| lead.shard).collect()
}

/// They are all shards, each once.
pub(super) fn expect_all_shards(what: &str, leads: &[Lead]) -> Kept {
    let is_all = leads.len() == usize::from(OUTBOX_SHARDS) && shards(leads) == (0..OUTBOX_SHARDS).collect();
    expect_that(&format!("{what} leads each shard once"), is_all, leads)
}
