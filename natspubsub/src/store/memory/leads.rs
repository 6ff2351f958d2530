//! Who leads which shard.

use std::collections::BTreeMap;
use std::time::Duration;

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
        self.until > now && self.leader.as_deref() == Some(relay)
    }

    fn is_free(&self, now: Duration) -> bool {
        self.leader.is_none() || self.until <= now
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
        let part = self.shards.len().div_ceil(self.relays.len());
        let mut led = self.shards.iter().filter(|shard| shard.is_led_by(relay, now)).count();
        let mut changed = Vec::new();
        for (number, shard) in (0..OUTBOX_SHARDS).zip(&mut self.shards) {
            if shard.is_led_by(relay, now) {
                if led > part && !busy.contains(&number) {
                    led -= 1;
                    shard.leader = None;
                } else {
                    shard.until = now + lease;
                }
            }
        }
        for (number, shard) in (0..OUTBOX_SHARDS).zip(&mut self.shards) {
            if led < part && shard.is_free(now) {
                led += 1;
                *shard = Shard { leader: Some(relay.to_owned()), until: now + lease, epoch: shard.epoch + 1 };
                changed.push(number);
            }
        }
        let leads = (0..OUTBOX_SHARDS).zip(&self.shards).filter(|(_, shard)| shard.is_led_by(relay, now));
        (leads.map(|(shard, led)| Lead { shard, epoch: led.epoch }).collect(), changed)
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
