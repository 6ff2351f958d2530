//! What a consumer has delivered and nobody has answered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// When, in which order of requests, and which message.
type Due = (Duration, u64, u64);

struct Unanswered {
    deliveries: u64,
    /// The consumer's own number of the first delivery.
    first: u64,
    due: Duration,
    turn: u64,
}

/// What a consumer has delivered and nobody has answered.
#[derive(Default)]
pub(super) struct Pending {
    entries: BTreeMap<u64, Unanswered>,
    /// To be delivered again.
    due: BTreeSet<Due>,
    /// To be given up: delivered as often as they may be.
    last_chances: BTreeSet<Due>,
    /// Messages that are to come again at once come in the order of the answers that said so.
    turns: u64,
    deliveries_max: Option<u64>,
    /// Up to where everything is answered: in the consumer's own count, and in the stream's.
    floor: (u64, u64),
}

impl Pending {
    pub(super) fn starting_behind(sequence: u64) -> Self {
        Self { floor: (0, sequence), ..Self::default() }
    }

    /// How often a message is delivered at most.
    pub(super) fn limit(&mut self, deliveries_max: Option<u64>) {
        self.deliveries_max = deliveries_max;
        self.due.clear();
        self.last_chances.clear();
        for (sequence, entry) in &self.entries {
            let is_last = deliveries_max.is_some_and(|max| entry.deliveries >= max);
            let dues = if is_last { &mut self.last_chances } else { &mut self.due };
            dues.insert((entry.due, entry.turn, *sequence));
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(super) fn answered(&self) -> u64 {
        self.floor.1
    }

    pub(super) fn holds(&self, sequence: u64) -> bool {
        self.entries.contains_key(&sequence)
    }

    pub(super) fn deliveries(&self, sequence: u64) -> u64 {
        self.entries.get(&sequence).map_or(0, |entry| entry.deliveries)
    }

    /// The message that is due again, if one is.
    pub(super) fn due(&self, now: Duration) -> Option<u64> {
        self.due.first().filter(|(due, ..)| *due <= now).map(|(.., sequence)| *sequence)
    }

    /// When the next message is due again.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.due.first().map(|(due, ..)| *due)
    }

    /// When the next message is given up.
    pub(super) fn next_end(&self) -> Option<Duration> {
        self.last_chances.first().map(|(due, ..)| *due)
    }

    /// When the last of them is due.
    pub(super) fn last_due(&self) -> Option<Duration> {
        self.due.last().max(self.last_chances.last()).map(|(due, ..)| *due)
    }

    fn set(&mut self, sequence: u64, due: Duration, turn: u64) {
        let Some(entry) = self.entries.get_mut(&sequence) else { return };
        let is_last = self.deliveries_max.is_some_and(|max| entry.deliveries >= max);
        for dues in [&mut self.due, &mut self.last_chances] {
            dues.remove(&(entry.due, entry.turn, sequence));
        }
        (entry.due, entry.turn) = (due, turn);
        if is_last { &mut self.last_chances } else { &mut self.due }.insert((due, turn, sequence));
    }

    /// A delivery that is to be answered until `due`; how often the message was delivered by now.
    pub(super) fn deliver(&mut self, sequence: u64, number: u64, wait: impl Fn(u64) -> Duration) -> u64 {
        let fresh = Unanswered { deliveries: 0, first: number, due: Duration::ZERO, turn: 0 };
        let entry = self.entries.entry(sequence).or_insert(fresh);
        if entry.deliveries > 0 {
            self.due.remove(&(entry.due, entry.turn, sequence));
        }
        entry.deliveries += 1;
        let deliveries = entry.deliveries;
        self.set(sequence, wait(deliveries), 0);
        deliveries
    }

    /// Waits until then; nothing for a message that comes again at once already.
    pub(super) fn postpone(&mut self, sequence: u64, now: Duration, until: Duration) {
        if self.entries.get(&sequence).is_some_and(|entry| entry.due > now) {
            self.set(sequence, until, 0);
        }
    }

    /// Comes again at once, behind those that do so already.
    pub(super) fn repeat(&mut self, sequence: u64, now: Duration) {
        if self.entries.get(&sequence).is_some_and(|entry| entry.due > now) {
            self.turns += 1;
            self.set(sequence, now, self.turns);
        }
    }

    fn forget(&mut self, sequence: u64) -> Option<Unanswered> {
        let entry = self.entries.remove(&sequence)?;
        for dues in [&mut self.due, &mut self.last_chances] {
            dues.remove(&(entry.due, entry.turn, sequence));
        }
        Some(entry)
    }

    /// Is answered. The floor moves as the server's does: `last` are the last delivery's two numbers.
    pub(super) fn settle(&mut self, sequence: u64, last: (u64, u64)) {
        let Some(entry) = self.forget(sequence) else { return };
        if self.entries.is_empty() {
            self.floor = last;
        } else if entry.first == self.floor.0 + 1 {
            self.floor = match self.entries.range(sequence + 1..).next() {
                Some((next, entry)) => (entry.first - 1, next - 1),
                None => (entry.first, sequence),
            };
        }
    }

    /// Is answered, with everything that was delivered before it; those.
    pub(super) fn settle_all(&mut self, sequence: u64, last: (u64, u64)) -> Vec<u64> {
        let settled: Vec<u64> = self.entries.range(..=sequence).map(|(sequence, _)| *sequence).collect();
        settled.iter().for_each(|sequence| self.settle(*sequence, last));
        settled
    }

    /// Delivered and answered at once.
    pub(super) fn pass(&mut self, last: (u64, u64)) {
        self.floor = last;
    }

    /// Gives up the message whose last chance has passed: which, and how often it was delivered.
    pub(super) fn give_up(&mut self, now: Duration) -> Option<(u64, u64)> {
        let (.., sequence) = *self.last_chances.first().filter(|(due, ..)| *due <= now)?;
        let entry = self.forget(sequence)?;
        Some((sequence, entry.deliveries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn delivered(sequences: &[u64]) -> Pending {
        let mut pending = Pending::starting_behind(0);
        for (number, sequence) in (1..).zip(sequences) {
            pending.deliver(*sequence, number, |_| SECOND);
        }
        pending
    }

    #[test]
    fn the_floor_moves_as_the_servers_does() {
        let mut pending = delivered(&[1, 2, 3, 4, 5]);
        for (sequence, floor) in [(2, (0, 0)), (1, (2, 2)), (3, (3, 3)), (4, (4, 4)), (5, (8, 5))] {
            pending.settle(sequence, (8, 5));
            assert_eq!(pending.floor, floor, "after {sequence}");
        }
        let mut filtered = delivered(&[2, 3]);
        filtered.settle(2, (2, 3));
        assert_eq!(filtered.floor, (1, 2));
        filtered.settle(3, (2, 3));
        assert_eq!(filtered.floor, (2, 3));
    }

    #[test]
    fn a_message_that_is_given_up_leaves_the_floor_where_it_is() {
        let mut pending = delivered(&[1, 2]);
        pending.limit(Some(1));
        pending.repeat(1, Duration::ZERO);
        assert_eq!(pending.give_up(Duration::ZERO), Some((1, 1)));
        assert_eq!((pending.give_up(Duration::ZERO), pending.floor), (None, (0, 0)));
        pending.settle(1, (2, 2));
        assert_eq!(pending.floor, (0, 0));
        pending.settle(2, (2, 2));
        assert_eq!(pending.floor, (2, 2));
    }

    #[test]
    fn what_comes_again_at_once_keeps_its_turn() {
        let mut pending = delivered(&[1, 2, 3]);
        let now = SECOND / 2;
        for sequence in [3, 1, 3] {
            pending.repeat(sequence, now);
        }
        pending.postpone(3, now, SECOND * 9);
        let mut order = Vec::new();
        while let Some(sequence) = pending.due(now) {
            order.push(sequence);
            pending.settle(sequence, (3, 3));
        }
        assert_eq!((order, pending.next_due()), (vec![3, 1], Some(SECOND)));
    }
}
