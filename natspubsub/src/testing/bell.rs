//! Rings when anything happens that may settle a message.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts what happens, and wakes who waits for it.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rings: AtomicU64,
    wake: Notify,
}

impl Bell {
    pub(super) fn ring(&self) {
        self.rings.fetch_add(1, Ordering::AcqRel);
        self.wake.notify_waiters();
    }

    /// How often it rang.
    pub(super) fn rings(&self) -> u64 {
        self.rings.load(Ordering::Acquire)
    }

    /// Waits until it has rung more often than `seen` times.
    pub(super) async fn after(&self, seen: u64) {
        loop {
            let wake = self.wake.notified();
            let mut wake = std::pin::pin!(wake);
            wake.as_mut().enable();
            if self.rings() != seen {
                return;
            }
            wake.await;
        }
    }
}
