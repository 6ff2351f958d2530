//! Wakes the relays of this process when something was written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts writes. Each clone hears every ring of all clones once, so that each relay has a clone of its own.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rope: Arc<Rope>,
    /// Up to which ring this clone has heard.
    heard: AtomicU64,
}

#[derive(Debug, Default)]
struct Rope {
    rings: AtomicU64,
    wake: Notify,
}

impl Clone for Bell {
    fn clone(&self) -> Self {
        Self { rope: Arc::clone(&self.rope), heard: AtomicU64::new(self.heard.load(Ordering::Acquire)) }
    }
}

impl Bell {
    pub(crate) fn ring(&self) {
        self.rope.rings.fetch_add(1, Ordering::AcqRel);
        self.rope.wake.notify_waiters();
    }

    /// Ends when it has rung since this clone has last heard it.
    pub(crate) async fn rung(&self) {
        let heard = self.heard.load(Ordering::Acquire);
        loop {
            let mut wake = std::pin::pin!(self.rope.wake.notified());
            wake.as_mut().enable();
            let rings = self.rope.rings.load(Ordering::Acquire);
            if rings != heard {
                self.heard.store(rings, Ordering::Release);
                return;
            }
            wake.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_ring_is_heard_once_by_each_clone_also_when_nobody_waited() {
        let bell = Bell::default();
        let other = bell.clone();
        assert_eq!(bell.rung().now_or_never(), None);
        other.ring();
        other.ring();
        for bell in [&bell, &other] {
            assert_eq!(bell.rung().now_or_never(), Some(()));
            assert_eq!(bell.rung().now_or_never(), None);
        }
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let bell = Bell::default();
        let waiting = async { bell.rung().await };
        let ringing = async { bell.clone().ring() };
        tokio::join!(waiting, ringing);
    }
}
