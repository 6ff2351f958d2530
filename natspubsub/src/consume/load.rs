//! How many deliveries of one subscriber are in hand, shared between the intake that fills and the worker that empties.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::failpoints::{Sabotage, sabotaged};

/// The load of one subscriber and its limit.
#[derive(Debug)]
pub(super) struct Load {
    capacity: u32,
    /// Credit that is worth a pull request of its own.
    worth: u32,
    in_hand: AtomicU32,
    /// Deliveries that were ever taken into hand.
    taken: AtomicU64,
    freed: Notify,
}

impl Load {
    /// Room for `concurrency` running and `prefetch` waiting deliveries.
    pub(super) fn new(concurrency: u32, prefetch: u32) -> Self {
        let capacity = match sabotaged(Sabotage::UnlimitedPrefetch) {
            false => concurrency.saturating_add(prefetch),
            true => u32::MAX / 2,
        };
        // One request for many messages, but never so late that a handler's place stays empty.
        let worth = (prefetch / 2).min(capacity / 4).max(1);
        Self { capacity, worth, in_hand: AtomicU32::new(0), taken: AtomicU64::new(0), freed: Notify::new() }
    }

    pub(super) fn add(&self) {
        self.in_hand.fetch_add(1, Ordering::AcqRel);
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn in_hand(&self) -> u32 {
        self.in_hand.load(Ordering::Acquire)
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    pub(super) fn remove(&self) {
        let left = self.in_hand.fetch_sub(1, Ordering::AcqRel) - 1;
        if left.is_multiple_of(self.worth) {
            self.freed.notify_one();
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.in_hand.load(Ordering::Acquire) >= self.capacity
    }

    pub(super) fn is_empty(&self) -> bool {
        self.in_hand.load(Ordering::Acquire) == 0
    }

    /// How many messages to ask for now: what is in hand and what is asked for never exceed the capacity together.
    pub(super) fn credit(&self, outstanding: u32) -> Option<u32> {
        let credit = self.capacity.saturating_sub(self.in_hand.load(Ordering::Acquire)).saturating_sub(outstanding);
        let worth = if outstanding == 0 { 1 } else { self.worth };
        (credit >= worth).then_some(credit)
    }

    /// Ends when places have become free.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_hand_and_asked_for_never_exceeds_the_capacity() {
        let load = Load::new(4, 4);
        assert_eq!(load.credit(0), Some(8));
        for _ in 0..5 {
            load.add();
        }
        assert_eq!(load.credit(0), Some(3));
        assert_eq!(load.credit(2), None, "one more is not worth a request");
        assert_eq!(load.credit(1), Some(2));
        assert_eq!(load.credit(3), None);
        assert_eq!(load.credit(9), None);
    }

    #[test]
    fn without_look_ahead_every_free_place_is_worth_a_request() {
        let load = Load::new(4, 0);
        load.add();
        assert_eq!(load.credit(2), Some(1));
    }
}
