//! Who leads which shard.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::store::parts::{self, Leader};
use crate::store::{Lead, OUTBOX_SHARDS};

/// Leases of shards, and the relays that live.
pub(super) struct Leads {
    shards: [Shard; OUTBOX_SHARDS as usize],
    /// Until when each relay is taken to live.
    relays: BTreeMap<String, Duration>,
}

#[derive(Debug, Clone, Default)]
struct Shard {
    leader: Option<String>,
    until: Duration,
    epoch: i64,
}

impl Shard {
    fn is_led_by(&self, relay: &str, now: Duration) -> bool {
        self.leader(relay, now) == Leader::Me
    }

    fn leader(&self, relay: &str, now: Duration) -> Leader {
        match &self.leader {
            Some(leader) if self.until > now && leader == relay => Leader::Me,
            Some(_) if self.until > now => Leader::Another,
            _ => Leader::Nobody,
        }
    }
}

impl Default for Leads {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Shard::default()), relays: BTreeMap::new() }
    }
}

impl Leads {
    /// What this relay leads from now on; those whose leader has changed are told to `changed`.
    pub(super) fn lead(&mut self, relay: &str, lease: Duration, busy: &[u16], now: Duration) -> (Vec<Lead>, Vec<u16>) {
        self.relays.retain(|_, until| *until > now);
        self.relays.insert(relay.to_owned(), now + lease);
        let leaders: Vec<Leader> = self.shards.iter().map(|shard| shard.leader(relay, now)).collect();
        let parts = parts::decide(&leaders, self.relays.len(), busy);
        for (number, shard) in (0..OUTBOX_SHARDS).zip(&mut self.shards) {
            if parts.give_up.contains(&number) {
                shard.leader = None;
            } else if parts.keep.contains(&number) {
                shard.until = now + lease;
            } else if parts.take.contains(&number) {
                *shard = Shard { leader: Some(relay.to_owned()), until: now + lease, epoch: shard.epoch + 1 };
            }
        }
        let leads = (0..OUTBOX_SHARDS).zip(&self.shards).filter(|(_, shard)| shard.is_led_by(relay, now));
        (leads.map(|(shard, led)| Lead { shard, epoch: led.epoch }).collect(), parts.take)
    }

    pub(super) fn resign(&mut self, relay: &str) {
        self.relays.remove(relay);
        for shard in self.shards.iter_mut().filter(|shard| shard.leader.as_deref() == Some(relay)) {
            shard.leader = None;
        }
    }

    /// Whether this relay leads the shard with this epoch, and its lease is not over.
    pub(super) fn holds(&self, relay: &str, lead: Lead, now: Duration) -> bool {
        self.shards
            .get(usize::from(lead.shard))
            .is_some_and(|shard| shard.epoch == lead.epoch && shard.is_led_by(relay, now))
    }
}
