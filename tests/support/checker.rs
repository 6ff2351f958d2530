//! What became of the messages of a run: the sets of the Jepsen checker for queues.

use std::collections::{BTreeMap, BTreeSet};

/// What was seen during a run; messages are numbers.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// Publishes that were begun.
    pub attempted: BTreeSet<u64>,
    /// Publishes that the server confirmed.
    pub confirmed: BTreeSet<u64>,
    /// Runs of the handler that ended, with repetitions.
    pub handled: Vec<u64>,
    /// Messages in the dead letters.
    pub dead: BTreeSet<u64>,
    /// Messages that a handler discarded.
    pub discarded: BTreeSet<u64>,
}

/// What follows from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Confirmed, and never handled, dead or discarded.
    pub lost: BTreeSet<u64>,
    /// Where the lost ones lie among the confirmed ones.
    pub lost_where: &'static str,
    /// Handled, and never published.
    pub unexpected: BTreeSet<u64>,
    /// Handled, though no confirmation arrived.
    pub recovered: BTreeSet<u64>,
    /// Neither confirmed nor handled: nobody knows.
    pub unknown: BTreeSet<u64>,
    /// Runs beyond the first of each message.
    pub extra_runs: usize,
}

impl Observed {
    /// Compares the sets.
    pub fn verdict(&self) -> Verdict {
        let handled: BTreeSet<u64> = self.handled.iter().copied().collect();
        let ended: BTreeSet<u64> = handled.iter().chain(&self.dead).chain(&self.discarded).copied().collect();
        let unconfirmed = || self.attempted.difference(&self.confirmed).copied();
        let lost: BTreeSet<u64> = self.confirmed.difference(&ended).copied().collect();
        Verdict {
            lost_where: self.place(&lost),
            lost,
            unexpected: ended.difference(&self.attempted).copied().collect(),
            recovered: unconfirmed().filter(|message| ended.contains(message)).collect(),
            unknown: unconfirmed().filter(|message| !ended.contains(message)).collect(),
            extra_runs: self.handled.len() - handled.len(),
        }
    }

    fn place(&self, lost: &BTreeSet<u64>) -> &'static str {
        let (Some(first), Some(last)) = (lost.first(), lost.last()) else { return "nowhere" };
        match (self.confirmed.first() == Some(first), self.confirmed.last() == Some(last)) {
            (true, true) => "everywhere",
            (true, false) => "prefix",
            (false, true) => "postfix",
            (false, false) => "middle",
        }
    }

    /// Panics when something confirmed is lost, or something handled was never published.
    ///
    /// # Panics
    /// See above; the message names the numbers.
    pub fn assert_nothing_lost(&self) -> Verdict {
        let verdict = self.verdict();
        let Verdict { lost, lost_where, unexpected, .. } = &verdict;
        assert!(lost.is_empty(), "{} of {} lost ({lost_where}): {lost:?}", lost.len(), self.confirmed.len());
        assert!(unexpected.is_empty(), "never published: {unexpected:?}");
        verdict
    }
}

/// How often the next message of a key came before one that was published earlier; `runs` holds (key, number) in the
/// order in which they ran. Numbers grow within a key.
pub fn inversions(runs: &[(u64, u64)]) -> usize {
    let mut highest: BTreeMap<u64, u64> = BTreeMap::new();
    let mut inversions = 0;
    for (key, number) in runs {
        let highest = highest.entry(*key).or_insert(*number);
        if number < highest {
            inversions += 1;
        }
        *highest = (*highest).max(*number);
    }
    inversions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(numbers: &[u64]) -> BTreeSet<u64> {
        numbers.iter().copied().collect()
    }

    #[test]
    fn each_set_is_what_its_name_says() {
        let observed = Observed {
            attempted: set(&[1, 2, 3, 4, 5, 6, 7]),
            confirmed: set(&[1, 2, 3, 4, 5]),
            handled: vec![1, 1, 1, 6, 9],
            dead: set(&[2]),
            discarded: set(&[5]),
        };
        let verdict = observed.verdict();
        assert_eq!(verdict.lost, set(&[3, 4]));
        assert_eq!(verdict.lost_where, "middle");
        assert_eq!(verdict.unexpected, set(&[9]));
        assert_eq!(verdict.recovered, set(&[6]));
        assert_eq!(verdict.unknown, set(&[7]));
        assert_eq!(verdict.extra_runs, 2);
        assert!(std::panic::catch_unwind(|| observed.assert_nothing_lost()).is_err());
    }

    #[test]
    fn a_run_without_faults_has_a_clean_verdict() {
        let all = set(&[1, 2]);
        let observed = Observed { attempted: all.clone(), confirmed: all, handled: vec![2, 1], ..Observed::default() };
        assert_eq!(observed.assert_nothing_lost(), Verdict { lost_where: "nowhere", ..Verdict::default() });
    }

    #[test]
    fn a_message_behind_a_later_one_of_its_key_is_an_inversion() {
        assert_eq!(inversions(&[(1, 1), (2, 9), (1, 2), (2, 10), (1, 2)]), 0);
        assert_eq!(inversions(&[(1, 2), (1, 1), (1, 3), (2, 1)]), 1);
    }
}
