//! What a relay begins, and when.

use std::time::Duration;

use futures::FutureExt;

use super::flight::Flight;
use super::patience::pause;
use super::work::{Done, SWEEP_MAX, Work};
use crate::clock::timeout;
use crate::error::{Error, ErrorKind};
use crate::failpoints::{Point, reached};
use crate::store::OUTBOX_SHARDS;

/// How long an answer that is known waits for others, to be written down with them.
const GATHER: Duration = Duration::from_millis(10);

/// How often a relay without a connection looks for one.
const RECONNECTED: Duration = Duration::from_millis(200);

/// After so many failures in a row a relay without a connection lets others lead.
const LONELY: u32 = 4;

/// The most bytes of bodies in hand: a claim takes what it expects to fit.
const HAND_BYTES: usize = 64 << 20;

/// Each so many renewals the hand is emptied before, so that another relay can have its part of busy shards.
const REST_EVERY: u32 = 3;

impl Work {
    /// A relay without a connection leaves the outbox to others.
    fn is_lonely(&self) -> bool {
        self.pause.failures() >= LONELY && !self.airfield.transport.is_connected()
    }

    fn may_lead(&self) -> bool {
        !self.asked.lead && !self.asked.resign && !self.must_resign && !self.stopping && !self.is_lonely()
    }

    pub(super) fn begin_lead(&mut self, now: Duration) {
        if !self.may_lead() || now < self.times.lead {
            return;
        }
        let is_restless = self.renewals % REST_EVERY == REST_EVERY - 1 && !self.is_idle();
        let rest = *self.times.rest.get_or_insert(now + self.settings.outbox_lease / 40);
        if is_restless && now < rest {
            return;
        }
        self.times.rest = None;
        self.asked.lead = true;
        let mut busy = self.hand.shards();
        busy.extend((0..OUTBOX_SHARDS).filter(|shard| self.owed[usize::from(*shard)] > 0));
        let (asked, lease) = (self.clock.monotonic(), self.settings.outbox_lease);
        let busy: Vec<u16> = busy.into_iter().collect();
        self.ask(
            lease,
            move |store, name| {
                let store = store.clone();
                async move { store.lead(name, lease, &busy).await }.boxed()
            },
            move |granted| Done::Led { asked, granted },
        );
    }

    pub(super) fn begin_resign(&mut self, now: Duration) {
        let wants = self.must_resign || (self.is_lonely() && !self.fence.leads().is_empty());
        if !wants
            || !self.is_idle()
            || self.asked.lead
            || self.asked.resign
            || self.stopping
            || now < self.times.database
        {
            return;
        }
        self.asked.resign = true;
        self.ask(self.answer_limit(), |store, name| store.resign(name), Done::Resigned);
    }

    pub(super) fn begin_sends(&mut self, now: Duration) {
        if !self.fence.holds(now) {
            return;
        }
        let (room, until) = (self.pause.room(self.batch(), now), self.fence.until());
        while self.sends < room
            && let Some(claimed) = self.hand.next()
        {
            self.owed[usize::from(claimed.lead.shard)] += 1;
            self.note_old(&claimed);
            let flight = Flight::new(claimed);
            if let Some(error) = flight.fault(self.airfield.transport.max_payload()) {
                self.fail(&flight, error);
                continue;
            }
            self.sends += 1;
            let airfield = self.airfield.clone();
            self.under_way.push(Box::pin(async move {
                let landed = airfield.send(&flight.outbound, until).await;
                Done::Landed(flight, landed)
            }));
        }
    }

    /// When the answers that are known are written down; `None` when there is nothing to write.
    fn settle_at(&self, now: Duration) -> Option<Duration> {
        let since = self.results.since().filter(|_| !self.asked.settle)?;
        let is_due = self.sends == 0 || self.hand.is_blocked() || self.results.len() >= self.batch();
        let gathered = if is_due { now } else { since + GATHER };
        Some(gathered.max(self.times.database))
    }

    pub(super) fn begin_settle(&mut self, now: Duration) {
        if self.settle_at(now).is_none_or(|at| now < at) {
            return;
        }
        self.asked.settle = true;
        let results = std::mem::take(&mut self.results);
        let (store, clock, limit) = (self.store.clone(), self.clock.clone(), self.answer_limit());
        self.under_way.push(Box::pin(async move {
            reached(Point::RelayAfterPublishBeforeSettle).await;
            let answer = timeout(&*clock, limit, store.settle(results.settled())).await;
            let late = || Error::new(ErrorKind::Database, format!("the outbox was not written to within {limit:?}"));
            Done::Settled(results, answer.unwrap_or_else(|| Err(late())))
        }));
    }

    fn batch(&self) -> usize {
        self.settings.outbox_batch as usize
    }

    /// How many messages may be claimed now: a whole batch, as soon as one is left to send while it is asked for.
    fn claimable(&self, now: Duration) -> usize {
        let is_held = self.stopping || self.must_resign || self.asked.claim || self.hand.is_blocked();
        let is_held = is_held || self.times.rest.is_some();
        if is_held || !self.fence.holds(now) || now < self.times.database || self.hand.bytes() >= HAND_BYTES {
            return 0;
        }
        let most = self.pause.room(self.batch(), now);
        // Behind a message of their key there may be more, so that one key does not keep the others out.
        let has_room = self.hand.ready() + self.sends < most && self.hand.len() + self.results.len() < 4 * most;
        if has_room { most.min((HAND_BYTES - self.hand.bytes()) / self.size.max(1) + 1) } else { 0 }
    }

    pub(super) fn begin_claim(&mut self, now: Duration) {
        let limit = self.claimable(now);
        if limit == 0 || now < self.look.next() {
            return;
        }
        self.asked.claim = true;
        let (leads, count) = (self.fence.leads().to_vec(), u32::try_from(limit).unwrap_or(u32::MAX));
        let (store, name, clock) = (self.store.clone(), self.name.clone(), self.clock.clone());
        let wait = self.answer_limit();
        self.under_way.push(Box::pin(async move {
            let answer = timeout(&*clock, wait, store.claim(&name, &leads, count)).await;
            let late = || Error::new(ErrorKind::Database, format!("the outbox was not read within {wait:?}"));
            if matches!(&answer, Some(Ok(found)) if !found.is_empty()) {
                reached(Point::RelayAfterClaim).await;
            }
            Done::Claimed { limit, found: answer.unwrap_or_else(|| Err(late())) }
        }));
    }

    pub(super) fn begin_chores(&mut self, now: Duration) {
        if !self.asked.listen && now >= self.times.listen && !self.stopping {
            self.asked.listen = true;
            let store = self.store.clone();
            self.under_way.push(Box::pin(async move { Done::Written(store.written().await) }));
        }
        if self.asked.chore || self.stopping {
            return;
        }
        if now >= self.times.measure {
            self.asked.chore = true;
            self.ask(self.answer_limit(), |store, _| store.outbox_depth(), Done::Measured);
        } else if now >= self.times.sweep && self.fence.holds(now) {
            self.asked.chore = true;
            let kept = self.settings.outbox_retention;
            self.ask(self.answer_limit(), move |store, _| store.delete_sent(kept, SWEEP_MAX), Done::Swept);
        }
    }

    /// When something is due that nothing under way announces.
    pub(super) fn due(&self, now: Duration) -> Duration {
        let when = |condition: bool, at: Duration| condition.then_some(at);
        let is_connected = self.airfield.transport.is_connected();
        let chores = !self.asked.chore && !self.stopping;
        [
            when(self.may_lead(), self.times.rest.unwrap_or(self.times.lead)),
            when(self.claimable(now) > 0, self.look.next()),
            self.settle_at(now),
            self.pause.until().filter(|until| *until > now),
            when(self.times.database > now, self.times.database),
            when(chores, self.times.measure),
            when(chores && self.fence.holds(now), self.times.sweep),
            when(!self.asked.listen && !self.stopping, self.times.listen),
            when(!is_connected, now + RECONNECTED),
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(now + pause(u32::MAX))
    }
}
