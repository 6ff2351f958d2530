//! A store in memory, for tests.

mod handlings;
mod leads;
mod messages;
mod time;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::handlings::Handlings;
use self::messages::Messages;
use self::time::Time;
use super::bell::Bell;
use super::inbox::{Claim, InboxDepth, InboxKey, InboxStore};
use super::message::OutboxMessage;
use super::outbox::{ClaimedMessage, FailedMessage, Lead, OutboxDepth, OutboxStore, SettledMessage};
use crate::clock::{SharedClock, SystemClock};
use crate::error::Result;

/// An inbox and an outbox in the memory of this process: for tests, because nothing outlives the process.
///
/// Clones are the same store. It is the plain model of the rules of [`OutboxStore`] and [`InboxStore`], and looks through
/// all messages for each claim.
///
/// ```
/// use natspubsub::store::{MemoryStore, OutboxMessage, OutboxStore};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> natspubsub::Result {
/// let store = MemoryStore::new();
/// let message = OutboxMessage {
///     event_id: "order-created-1".into(),
///     message_id: "order-created-1".into(),
///     subject: "test.orders.order.created".into(),
///     key: Some("ORD-1".into()),
///     headers: Default::default(),
///     body: "{}".into(),
///     delay: std::time::Duration::ZERO,
/// };
/// assert_eq!(store.write([message.clone(), message]), [true, false]);
/// assert_eq!(store.outbox_depth().await?.pending, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    bell: Bell,
}

struct State {
    time: Time,
    messages: Messages,
    handlings: Handlings,
}

impl MemoryStore {
    /// An empty store whose database's clock is that of the machine.
    ///
    /// ```
    /// let store = natspubsub::store::MemoryStore::new();
    /// assert_eq!(format!("{store:?}"), "MemoryStore { messages: 0, handlings: 0 }");
    /// ```
    pub fn new() -> Self {
        Self::on(SystemClock::shared())
    }

    /// An empty store with a clock.
    pub(crate) fn on(clock: SharedClock) -> Self {
        let state = State { time: Time::on(clock), messages: Messages::default(), handlings: Handlings::default() };
        Self { state: Arc::new(Mutex::new(state)), bell: Bell::default() }
    }

    /// Time goes on by another clock, from where it is.
    pub(crate) fn go_on_by(&self, clock: SharedClock) {
        self.state().time.go_on_by(clock);
    }

    /// Writes messages into the outbox, as a transaction does that is committed at once; for each whether it is new. One
    /// whose message id is there already is left out.
    ///
    /// ```
    /// # use natspubsub::store::{MemoryStore, OutboxMessage};
    /// # fn write(store: &MemoryStore, message: OutboxMessage) {
    /// let is_new: Vec<bool> = store.write([message]);
    /// # }
    /// ```
    pub fn write(&self, messages: impl IntoIterator<Item = OutboxMessage>) -> Vec<bool> {
        let written = {
            let mut state = self.state();
            let now = state.time.now();
            messages.into_iter().map(|message| state.messages.write(message, now)).collect()
        };
        self.bell.ring();
        written
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_messages<R>(&self, act: impl FnOnce(&mut Messages, Duration) -> R) -> Result<R> {
        let mut state = self.state();
        let now = state.time.now();
        Ok(act(&mut state.messages, now))
    }

    fn with_handlings<R>(&self, act: impl FnOnce(&mut Handlings, Duration) -> R) -> Result<R> {
        let mut state = self.state();
        let now = state.time.now();
        Ok(act(&mut state.handlings, now))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("MemoryStore")
            .field("messages", &state.messages.len())
            .field("handlings", &state.handlings.len())
            .finish()
    }
}

impl OutboxStore for MemoryStore {
    async fn check_outbox_tables(&self) -> Result<()> {
        Ok(())
    }

    async fn lead(&self, relay: &str, lease: Duration, busy: &[u16]) -> Result<Vec<Lead>> {
        self.with_messages(|messages, now| messages.lead(relay, lease, busy, now))
    }

    async fn resign(&self, relay: &str) -> Result<()> {
        self.with_messages(|messages, _| messages.resign(relay))
    }

    async fn claim(&self, relay: &str, leads: &[Lead], limit: u32) -> Result<Vec<ClaimedMessage>> {
        self.with_messages(|messages, now| messages.claim(relay, leads, limit, now))
    }

    async fn settle(&self, settled: &[SettledMessage]) -> Result<u64> {
        self.with_messages(|messages, now| settled.iter().map(|one| u64::from(messages.settle(one, now))).sum())
    }

    async fn delete_sent(&self, older_than: Duration, limit: u32) -> Result<u64> {
        self.with_messages(|messages, now| messages.delete_sent(older_than, limit, now))
    }

    async fn outbox_depth(&self) -> Result<OutboxDepth> {
        self.with_messages(|messages, now| messages.depth(now))
    }

    async fn failed_messages(&self, limit: u32) -> Result<Vec<FailedMessage>> {
        self.with_messages(|messages, _| messages.failed(limit))
    }

    async fn retry_failed(&self, id: i64) -> Result<bool> {
        let found = self.with_messages(|messages, now| messages.retry_failed(id, now))?;
        self.bell.ring();
        Ok(found)
    }

    async fn written(&self) -> Result<()> {
        self.bell.rung().await;
        Ok(())
    }
}

impl InboxStore for MemoryStore {
    async fn check_inbox_table(&self) -> Result<()> {
        Ok(())
    }

    async fn claim_handling(&self, key: &InboxKey, lease: Duration) -> Result<Claim> {
        self.with_handlings(|handlings, now| handlings.claim(key, lease, now))
    }

    async fn renew_handling(&self, key: &InboxKey, fence: i64, lease: Duration) -> Result<bool> {
        self.with_handlings(|handlings, now| handlings.renew(key, fence, lease, now))
    }

    async fn finish_handling(&self, key: &InboxKey, fence: i64) -> Result<bool> {
        self.with_handlings(|handlings, now| handlings.finish(key, fence, now))
    }

    async fn give_handling_back(&self, key: &InboxKey, fence: i64, error: &str) -> Result<bool> {
        self.with_handlings(|handlings, now| handlings.give_back(key, fence, error, now))
    }

    async fn fail_handling(&self, key: &InboxKey, error: &str) -> Result<()> {
        self.with_handlings(|handlings, _| handlings.fail(key, error))
    }

    async fn delete_processed(&self, older_than: Duration, limit: u32) -> Result<u64> {
        self.with_handlings(|handlings, now| handlings.delete_processed(older_than, limit, now))
    }

    async fn inbox_depth(&self) -> Result<InboxDepth> {
        self.with_handlings(|handlings, _| handlings.depth())
    }
}
