//! What lasts for a while, again and again: partitions, full streams.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::profile::Spell;
use crate::testing::dice::Dice;

/// The spells of one kind, one after the other. They are found by looking, in the order of time.
#[derive(Debug)]
pub(super) struct Spells {
    spell: Spell,
    dice: Dice,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    /// The spell that lasts, or comes next; `None` before the first and after the last.
    next: Option<(Duration, Duration)>,
    /// How many are over.
    over: u64,
}

impl Spells {
    pub(super) fn new(spell: Spell, dice: Dice) -> Self {
        Self { spell, dice, found: Mutex::default() }
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on there are some.
    pub(super) fn begin(&self, now: Duration) {
        let mut found = self.found();
        if found.next.is_none() && !self.spell.every.is_zero() {
            found.next = Some(self.behind(now));
        }
    }

    /// From now on there are none; one that lasts is over.
    pub(super) fn end(&self, now: Duration) {
        let lasts = self.until(now).is_some();
        let mut found = self.found();
        found.next = None;
        found.over += u64::from(lasts);
    }

    fn behind(&self, time: Duration) -> (Duration, Duration) {
        let begins = time + self.spell.every / 2 + self.dice.time(self.spell.every);
        (begins, begins + self.spell.lasting / 8 + self.dice.time(self.spell.lasting - self.spell.lasting / 8))
    }

    /// Until when the spell lasts that there is now.
    pub(super) fn until(&self, now: Duration) -> Option<Duration> {
        self.look(now).filter(|(begins, _)| *begins <= now).map(|(_, ends)| ends)
    }

    /// When a spell begins or ends next.
    pub(super) fn changes_at(&self, now: Duration) -> Option<Duration> {
        self.look(now).map(|(begins, ends)| if begins <= now { ends } else { begins })
    }

    /// How many are over.
    pub(super) fn over(&self, now: Duration) -> u64 {
        self.look(now);
        self.found().over
    }

    fn look(&self, now: Duration) -> Option<(Duration, Duration)> {
        let mut found = self.found();
        while let Some((_, ends)) = found.next
            && ends <= now
        {
            found.next = Some(self.behind(ends));
            found.over += 1;
        }
        found.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn spells_come_and_go_until_their_end() {
        let spells = Spells::new(Spell { every: SECOND * 10, lasting: SECOND * 4 }, Dice::new(1, "spells"));
        assert_eq!((spells.until(SECOND), spells.changes_at(SECOND)), (None, None), "not begun");
        spells.begin(SECOND);
        let begins = spells.changes_at(SECOND).unwrap();
        assert!(begins >= SECOND * 6 && begins <= SECOND * 16, "{begins:?}");
        let ends = spells.until(begins).unwrap();
        assert!(ends > begins && ends <= begins + SECOND * 4, "{ends:?}");
        assert_eq!((spells.until(ends), spells.over(ends)), (None, 1));
        let begins = spells.changes_at(ends).unwrap();
        assert!(spells.until(begins).is_some());
        spells.end(begins);
        assert_eq!((spells.until(begins), spells.over(begins), spells.changes_at(begins)), (None, 2, None));
    }

    #[test]
    fn what_has_no_pause_never_happens() {
        let spells = Spells::new(Spell::default(), Dice::new(1, "spells"));
        spells.begin(Duration::ZERO);
        assert_eq!(spells.changes_at(SECOND), None);
    }
}
