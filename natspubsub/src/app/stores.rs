//! The stores that an application was given.

use std::sync::Arc;

use crate::store::{InboxStore, OutboxStore, SharedInbox, SharedOutbox};

/// One store, seen from both sides.
#[derive(Clone)]
pub(super) struct AppStore {
    /// Its type, for people.
    pub(super) name: &'static str,
    pub(super) outbox: SharedOutbox,
    pub(super) inbox: SharedInbox,
}

impl AppStore {
    pub(super) fn new<S: OutboxStore + InboxStore + Clone>(store: &S) -> Self {
        let name = std::any::type_name::<S>();
        Self {
            name: name.rsplit("::").next().unwrap_or(name),
            outbox: Arc::new(store.clone()),
            inbox: Arc::new(store.clone()),
        }
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
