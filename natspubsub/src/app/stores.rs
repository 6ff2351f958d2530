//! The stores that an application was given.

use std::any::Any;
use std::sync::Arc;

use crate::clock::SharedClock;
use crate::store::{InboxStore, MemoryStore, OutboxStore, SharedInbox, SharedOutbox};

/// One store, seen from both sides.
#[derive(Clone)]
pub(super) struct AppStore {
    /// Its type, for people.
    pub(super) name: &'static str,
    pub(super) outbox: SharedOutbox,
    pub(super) inbox: SharedInbox,
    /// The store itself, when it is one in memory.
    memory: Option<MemoryStore>,
}

impl AppStore {
    pub(super) fn new<S: OutboxStore + InboxStore + Clone>(store: &S) -> Self {
        let name = std::any::type_name::<S>();
        Self {
            name: name.rsplit("::").next().unwrap_or(name),
            outbox: Arc::new(store.clone()),
            inbox: Arc::new(store.clone()),
            memory: (store as &dyn Any).downcast_ref().cloned(),
        }
    }

    /// A store in memory has the time of the application; a database has its own.
    pub(super) fn go_on_by(&self, clock: &SharedClock) {
        if let Some(memory) = &self.memory {
            memory.go_on_by(clock.clone());
        }
    }

    /// The same store, which keeps virtual time from moving on while it works. A store in memory takes no time.
    #[cfg(feature = "testing")]
    pub(super) fn held(&self, real_io: Option<std::time::Duration>) -> Self {
        let mut held = self.clone();
        if let Some(limit) = real_io.filter(|_| self.memory.is_none()) {
            held.outbox = Arc::new(crate::testing::Held::new(held.outbox, limit));
            held.inbox = Arc::new(crate::testing::Held::new(held.inbox, limit));
        }
        held
    }

    /// What is missing in its database, with the name of the store.
    pub(super) async fn faults(&self) -> Vec<String> {
        let found = [self.outbox.check_outbox_tables().await, self.inbox.check_inbox_table().await];
        let mut faults: Vec<String> = found
            .iter()
            .filter_map(|checked| checked.as_ref().err())
            .map(|error| format!("{}: {}", self.name, crate::error::chain(error)))
            .collect();
        faults.dedup();
        faults
    }
}
