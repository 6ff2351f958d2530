//! What is remembered of messages that failed, between their deliveries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::in_hand::InHand;
use super::settle::DeadReason;

/// A message whose dead letter cannot be stored returns after the first delay, then ever later up to the second.
const UNSTORED_DELAYS: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));

/// What is remembered between the deliveries of a message that failed: a restart forgets it and loses nothing.
#[derive(Debug, Default)]
pub(super) struct FailureMemory {
    messages: Mutex<BTreeMap<Key, Remembered>>,
    /// Messages that cannot be read and lie in the dead letters: a search may find them again.
    unreadable: Mutex<BTreeSet<Key>>,
}

/// The sequence alone is not enough: a stream that is made again starts at 1.
type Key = (u64, Timestamp);

#[derive(Debug)]
struct Remembered {
    first_failed_at: Timestamp,
    unstored: Option<Unstored>,
}

/// A dead letter that could not be stored.
#[derive(Debug, Clone)]
pub(super) struct Unstored {
    pub(super) reason: DeadReason,
    pub(super) error: String,
    delay: Duration,
}

impl FailureMemory {
    /// Beyond this many, the oldest message is forgotten: it was probably finished by another process.
    const MESSAGES_MAX: usize = 10_000;

    fn messages(&self) -> MutexGuard<'_, BTreeMap<Key, Remembered>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(messages: &mut BTreeMap<Key, Remembered>, key: Key, now: Timestamp) -> &mut Remembered {
        if !messages.contains_key(&key) && messages.len() >= Self::MESSAGES_MAX {
            messages.pop_first();
        }
        messages.entry(key).or_insert(Remembered { first_failed_at: now, unstored: None })
    }

    /// When the message failed first.
    pub(super) fn note_failure(&self, hand: &InHand, now: Timestamp) -> Timestamp {
        Self::remember(&mut self.messages(), key(hand), now).first_failed_at
    }

    /// Whether a run of the message has failed in this process.
    pub(super) fn has_failed(&self, hand: &InHand) -> bool {
        self.messages().contains_key(&key(hand))
    }

    /// Remembers a dead letter that could not be stored, and says when to try again.
    pub(super) fn note_unstored(&self, hand: &InHand, reason: DeadReason, error: String, now: Timestamp) -> Duration {
        let (first, longest) = UNSTORED_DELAYS;
        let mut messages = self.messages();
        let remembered = Self::remember(&mut messages, key(hand), now);
        let delay = remembered.unstored.as_ref().map_or(first, |unstored| (unstored.delay * 2).min(longest));
        remembered.unstored = Some(Unstored { reason, error, delay });
        delay
    }

    /// The dead letter that an earlier delivery of the message could not store.
    pub(super) fn unstored(&self, hand: &InHand) -> Option<Unstored> {
        self.messages().get(&key(hand))?.unstored.clone()
    }

    /// Notes that the dead letter of a message that cannot be read is stored.
    pub(super) fn note_unreadable(&self, hand: &InHand) {
        let mut unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        if unreadable.len() >= Self::MESSAGES_MAX {
            unreadable.pop_first();
        }
        unreadable.insert(key(hand));
    }

    /// Whether such a message was found before.
    pub(super) fn is_known_unreadable(&self, hand: &InHand) -> bool {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).contains(&key(hand))
    }

    pub(super) fn forget(&self, hand: &InHand) {
        self.messages().remove(&key(hand));
    }
}

fn key(hand: &InHand) -> Key {
    (hand.sequence(), hand.received().stored_at)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use std::sync::Arc;

    use super::*;
    use crate::consume::in_hand::Holder;
    use crate::message::Headers;
    use crate::metrics::DeliveryMetrics;

    fn hand(sequence: u64) -> InHand {
        let received = crate::transport::Received {
            subject: "s".into(),
            headers: Headers::default(),
            body: Bytes::new(),
            sequence,
            deliveries: 1,
            stored_at: Timestamp::UNIX_EPOCH,
            backlog: 0,
            token: String::new(),
            fault: None,
        };
        let metrics = Arc::new(DeliveryMetrics::silent());
        let holder = Holder { index: 0, ack_wait: Duration::from_secs(30), metrics: &metrics };
        InHand::new(0, holder, received, Duration::ZERO)
    }

    #[test]
    fn an_unstored_letter_is_remembered_with_growing_delays() {
        let memory = FailureMemory::default();
        let (now, hand) = (Timestamp::UNIX_EPOCH, hand(7));
        let delays: Vec<u64> =
            (0..6).map(|_| memory.note_unstored(&hand, DeadReason::Crash, "e".into(), now).as_secs()).collect();
        assert_eq!(delays, [30, 60, 120, 240, 480, 600]);
        assert_eq!(memory.unstored(&hand).unwrap().reason, DeadReason::Crash);
        memory.forget(&hand);
        assert!(memory.unstored(&hand).is_none());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
        let memory = FailureMemory::default();
        for sequence in 0..=10_000 {
            memory.note_unstored(&hand(sequence), DeadReason::Crash, String::new(), Timestamp::UNIX_EPOCH);
        }
        assert_eq!(memory.messages().len(), 10_000);
        assert!(memory.unstored(&hand(0)).is_none() && memory.unstored(&hand(10_000)).is_some());
    }
}
