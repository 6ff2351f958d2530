//! How many runs of a subscriber only wait: they take no place of a running handler.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(super) struct Parking {
    parked: AtomicUsize,
    changed: Notify,
}

/// One parked run; it leaves when this is dropped.
pub(super) struct Parked<'a>(&'a Parking);

impl Parking {
    pub(super) fn enter(&self) -> Parked<'_> {
        self.parked.fetch_add(1, Ordering::AcqRel);
        self.changed.notify_one();
        Parked(self)
    }

    pub(super) fn len(&self) -> usize {
        self.parked.load(Ordering::Acquire)
    }

    /// Ends when a run has parked.
    pub(super) async fn entered(&self) {
        self.changed.notified().await;
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.0.parked.fetch_sub(1, Ordering::AcqRel);
    }
}
