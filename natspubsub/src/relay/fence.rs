//! Which shards this relay leads, and until when it may believe that. Pure.

use std::time::Duration;

use crate::failpoints::{Sabotage, sabotaged};
use crate::store::Lead;

/// What the database has granted, in this process's own time.
#[derive(Debug, Default)]
pub(super) struct Fence {
    leads: Vec<Lead>,
    until: Duration,
}

impl Fence {
    /// Notes what a call has granted that was made at `asked`. The lease began later by the database, so that with three
    /// tenths of it as a margin nobody else leads before this one has stopped to.
    pub(super) fn grant(&mut self, leads: Vec<Lead>, asked: Duration, lease: Duration) {
        self.until = asked + lease * 7 / 10;
        if sabotaged(Sabotage::UnfencedRelay) {
            let lost = |old: &Lead| !leads.iter().any(|new| new.shard == old.shard);
            let old: Vec<Lead> = self.leads.iter().copied().filter(lost).collect();
            self.leads = leads;
            self.leads.extend(old);
        } else {
            self.leads = leads;
        }
    }

    /// Nothing is led any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn leads(&self) -> &[Lead] {
        &self.leads
    }

    /// Until when messages may be claimed and handed over.
    pub(super) fn until(&self) -> Duration {
        if sabotaged(Sabotage::UnfencedRelay) { Duration::MAX } else { self.until }
    }

    /// Whether messages may be claimed and handed over.
    pub(super) fn holds(&self, now: Duration) -> bool {
        !self.leads.is_empty() && now < self.until()
    }

    pub(super) fn has(&self, lead: Lead) -> bool {
        self.leads.contains(&lead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(10);

    #[test]
    fn a_lead_is_believed_for_seven_tenths_of_the_lease_from_the_question_on() {
        let (lead, next) = (Lead { shard: 3, epoch: 1 }, Lead { shard: 3, epoch: 2 });
        let mut fence = Fence::default();
        assert!(!fence.holds(Duration::ZERO));
        fence.grant(vec![lead], LEASE, LEASE);
        assert!(fence.holds(LEASE + Duration::from_millis(6_999)) && fence.has(lead) && !fence.has(next));
        assert!(!fence.holds(LEASE + Duration::from_secs(7)));
        fence.grant(vec![next], 2 * LEASE, LEASE);
        assert!(fence.holds(2 * LEASE) && fence.has(next) && !fence.has(lead));
        fence.clear();
        assert!(!fence.holds(Duration::ZERO));
    }
}
