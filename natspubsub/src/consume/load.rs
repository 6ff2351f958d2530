//! How many deliveries of one subscriber are in hand, shared between the intake that fills and the worker that empties.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

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
    /// Messages that open pull requests may still bring.
    outstanding: AtomicU32,
    /// Whether more messages waited at the server when the last one was delivered.
    is_followed: AtomicBool,
    freed: Notify,
    /// Whether the intake was told, and has not looked since.
    is_told: AtomicBool,
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
        Self {
            capacity,
            worth,
            in_hand: AtomicU32::new(0),
            taken: AtomicU64::new(0),
            outstanding: AtomicU32::new(0),
            is_followed: AtomicBool::new(false),
            freed: Notify::new(),
            is_told: AtomicBool::new(false),
        }
    }

    /// One more is in hand; `is_followed` says whether more messages wait at the server.
    pub(super) fn add(&self, is_followed: bool) {
        self.is_followed.store(is_followed, Ordering::Relaxed);
        self.in_hand.fetch_add(1, Ordering::AcqRel);
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn in_hand(&self) -> u32 {
        self.in_hand.load(Ordering::Acquire)
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// One fewer is in hand. The intake, on another thread, is told only when there is something to ask for.
    pub(super) fn remove(&self) {
        // In one order with what the intake does in `note_outstanding` and `credit`: one of the two sees what the other did.
        let left = self.in_hand.fetch_sub(1, Ordering::SeqCst) - 1;
        let is_worth_it = self.room(left, self.outstanding.load(Ordering::SeqCst)).is_some();
        if is_worth_it && !self.is_told.swap(true, Ordering::SeqCst) {
            self.freed.notify_one();
        }
    }

    /// Notes how many messages open pull requests may still bring.
    pub(super) fn note_outstanding(&self, outstanding: u32) {
        self.outstanding.store(outstanding, Ordering::SeqCst);
    }

    /// Whether the server is about to deliver another one.
    pub(super) fn expects_more(&self) -> bool {
        self.is_followed.load(Ordering::Relaxed) && self.outstanding.load(Ordering::Relaxed) > 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.in_hand.load(Ordering::Acquire) >= self.capacity
    }

    pub(super) fn is_empty(&self) -> bool {
        self.in_hand.load(Ordering::Acquire) == 0
    }

    /// How many messages to ask for now: what is in hand and what is asked for never exceed the capacity together.
    pub(super) fn credit(&self, outstanding: u32) -> Option<u32> {
        // Before it looks: what ends afterwards tells it again.
        self.is_told.store(false, Ordering::SeqCst);
        self.room(self.in_hand.load(Ordering::SeqCst), outstanding)
    }

    /// The room that is worth a request.
    fn room(&self, in_hand: u32, outstanding: u32) -> Option<u32> {
        let room = self.capacity.saturating_sub(in_hand).saturating_sub(outstanding);
        let worth = if outstanding == 0 { 1 } else { self.worth };
        (room >= worth).then_some(room)
    }

    /// Ends when places have become free.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn what_is_in_hand_and_asked_for_never_exceeds_the_capacity() {
        let load = Load::new(4, 4);
        assert_eq!(load.credit(0), Some(8));
        for _ in 0..5 {
            load.add(false);
        }
        assert_eq!(load.credit(0), Some(3));
        assert_eq!(load.credit(2), None, "one more is not worth a request");
        assert_eq!(load.credit(1), Some(2));
        assert_eq!(load.credit(3), None);
        assert_eq!(load.credit(9), None);
    }

    #[test]
    fn the_intake_is_told_once_when_there_is_something_to_ask_for() {
        let load = Load::new(4, 4);
        for _ in 0..6 {
            load.add(true);
        }
        assert_eq!(load.credit(2), None);
        load.note_outstanding(2);
        let told = || load.freed().now_or_never().is_some();
        load.remove();
        assert!(!told(), "room for one, and two are asked for");
        load.remove();
        assert!(told(), "room for two");
        load.remove();
        assert!(!told(), "it knows");
        assert_eq!(load.credit(2), Some(3));
        load.note_outstanding(0);
        load.remove();
        assert!(told(), "without a request every place is worth one");
    }

    #[test]
    fn more_is_expected_where_it_waits_and_is_asked_for() {
        let load = Load::new(4, 4);
        load.add(true);
        assert!(!load.expects_more(), "nothing is asked for");
        load.note_outstanding(7);
        assert!(load.expects_more());
        load.add(false);
        assert!(!load.expects_more(), "it was the last");
    }

    #[test]
    fn without_look_ahead_every_free_place_is_worth_a_request() {
        let load = Load::new(4, 0);
        load.add(false);
        assert_eq!(load.credit(2), Some(1));
    }
}
