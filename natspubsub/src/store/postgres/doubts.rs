//! Claims of which nobody knows whether they happened.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::outbox::Lead;

/// Leads with such a claim. When a claim fails, or is dropped while it runs, its messages may be `publishing` and in
/// nobody's hand; with the next epoch of their shard they are claimed again.
#[derive(Default)]
pub(super) struct Doubts {
    leads: Mutex<BTreeSet<(String, Lead)>>,
}

impl Doubts {
    /// A claim begins: in doubt unless [`Doubt::settled`] is called.
    pub(super) fn begin<'a>(&'a self, relay: &'a str, leads: &'a [Lead]) -> Doubt<'a> {
        Doubt { doubts: self, relay, leads, is_settled: false }
    }

    /// The leads of a relay that are in doubt.
    pub(super) fn of(&self, relay: &str) -> Vec<Lead> {
        self.locked().iter().filter(|(of, _)| of == relay).map(|(_, lead)| *lead).collect()
    }

    /// These have another epoch by now.
    pub(super) fn forget(&self, relay: &str, leads: &[Lead]) {
        self.locked().retain(|(of, lead)| of != relay || !leads.contains(lead));
    }

    fn locked(&self) -> MutexGuard<'_, BTreeSet<(String, Lead)>> {
        self.leads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A claim that runs.
pub(super) struct Doubt<'a> {
    doubts: &'a Doubts,
    relay: &'a str,
    leads: &'a [Lead],
    is_settled: bool,
}

impl Doubt<'_> {
    /// What it claimed is known.
    pub(super) fn settled(mut self) {
        self.is_settled = true;
    }
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if !self.is_settled {
            let of = self.leads.iter().map(|lead| (self.relay.to_owned(), *lead));
            self.doubts.locked().extend(of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_without_an_answer_is_in_doubt_until_its_shard_has_another_epoch() {
        let (doubts, lead) = (Doubts::default(), Lead { shard: 3, epoch: 7 });
        doubts.begin("a", &[lead]).settled();
        assert_eq!(doubts.of("a"), []);
        drop(doubts.begin("a", &[lead]));
        assert_eq!((doubts.of("a"), doubts.of("b")), (vec![lead], vec![]));
        doubts.forget("b", &[lead]);
        assert_eq!(doubts.of("a"), [lead]);
        doubts.forget("a", &[lead]);
        assert_eq!(doubts.of("a"), []);
    }
}
