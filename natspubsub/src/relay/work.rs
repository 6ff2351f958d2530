//! The loop of a relay: lead, claim, publish, settle, all at the same time.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::task::coop::consume_budget;
use tokio_util::sync::CancellationToken;

use super::fence::Fence;
use super::flight::{Airfield, Flight, Landed};
use super::hand::Hand;
use super::patience::{Look, Pause, pause};
use super::results::Results;
use super::stats::Board;
use crate::clock::{SharedClock, timeout};
use crate::config::{Config, StoreSettings};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoints::{Point, reached};
use crate::store::{ClaimedMessage, Lead, OUTBOX_SHARDS, OutboxDepth, SharedOutbox};
use crate::topology::Allowed;
use crate::transport::SharedTransport;

/// How many sent messages are deleted at once.
pub(super) const SWEEP_MAX: u32 = 1_000;

/// How long the database may take to answer at least.
const ANSWER_MIN: Duration = Duration::from_secs(5);

/// How long the drain waits for answers, and then for the database to note the end.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);
const RESIGN_LIMIT: Duration = Duration::from_secs(2);

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

/// What has ended.
pub(super) enum Done {
    Led { asked: Duration, granted: Result<Vec<Lead>> },
    Claimed { limit: usize, found: Result<Vec<ClaimedMessage>> },
    Landed(Flight, Landed),
    Settled(Results, Result<u64>),
    Resigned(Result<()>),
    Written(Result<()>),
    Swept(Result<u64>),
    Measured(Result<OutboxDepth>),
}

/// What is asked of the database now; one of each at a time.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) lead: bool,
    pub(super) claim: bool,
    pub(super) settle: bool,
    pub(super) resign: bool,
    pub(super) chore: bool,
    pub(super) listen: bool,
}

/// When what is next.
pub(super) struct Times {
    pub(super) lead: Duration,
    /// The hand is emptied until then.
    pub(super) rest: Option<Duration>,
    /// After the database did not answer.
    pub(super) database: Duration,
    pub(super) sweep: Duration,
    pub(super) measure: Duration,
    pub(super) listen: Duration,
}

/// A relay at work.
pub(crate) struct Work {
    pub(super) store: SharedOutbox,
    pub(super) airfield: Arc<Airfield>,
    pub(super) clock: SharedClock,
    pub(super) settings: StoreSettings,
    pub(super) board: Arc<Board>,
    base: String,
    /// Its name for the database: another one after each resignation, so that nothing of it is mixed up.
    name: String,
    names: u32,
    pub(super) fence: Fence,
    pub(super) hand: Hand,
    pub(super) results: Results,
    pub(super) look: Look,
    pub(super) pause: Pause,
    pub(super) asked: Asked,
    pub(super) times: Times,
    /// Messages on their way.
    pub(super) sends: usize,
    pub(super) renewals: u32,
    /// How often in a row the database did not answer.
    pub(super) failures: u32,
    /// What a claim found may be lost: only the next leader sets it right.
    pub(super) must_resign: bool,
    pub(super) stopping: bool,
    /// Of each shard, how many messages have left the hand and are not written down.
    pub(super) owed: [usize; OUTBOX_SHARDS as usize],
    /// The average size of the messages of the last claim.
    pub(super) size: usize,
    /// The highest id that was seen.
    pub(super) highest: i64,
    under_way: FuturesUnordered<BoxFuture<'static, Done>>,
}

impl Work {
    pub(crate) fn new(
        store: SharedOutbox,
        transport: SharedTransport,
        clock: SharedClock,
        config: &Config,
        board: Arc<Board>,
    ) -> Self {
        let (settings, now) = (config.stores.clone(), clock.monotonic());
        let base = format!("{}-{:016x}", config.app(), clock.random());
        let airfield =
            Airfield { transport, clock: clock.clone(), config: config.clone(), allowed: Allowed::default() };
        Self {
            store,
            airfield: Arc::new(airfield),
            clock,
            look: Look::new(settings.outbox_poll, now),
            settings,
            board,
            name: format!("{base}-0"),
            base,
            names: 0,
            fence: Fence::default(),
            hand: Hand::default(),
            results: Results::default(),
            pause: Pause::default(),
            asked: Asked::default(),
            times: Times { lead: now, rest: None, database: now, sweep: now, measure: now, listen: now },
            sends: 0,
            renewals: 0,
            failures: 0,
            must_resign: false,
            stopping: false,
            owed: [0; OUTBOX_SHARDS as usize],
            size: 0,
            highest: 0,
            under_way: FuturesUnordered::new(),
        }
    }

    /// As [`Work::run`]; a fault of this crate must be seen, and not stall in silence.
    pub(crate) async fn guarded(self, stop: CancellationToken) {
        let board = self.board.clone();
        if AssertUnwindSafe(self.run(stop)).catch_unwind().await.is_err() {
            let text =
                "the relay of the outbox panicked; others take over after outbox_lease, and nothing is published here";
            tracing::error!("{text}");
            board.told().ended = Some(text.to_owned());
        }
    }

    /// Relays until it is told to stop; then it waits for the answers that are due, and gives up what it leads.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(self.step()).await.is_some() {}
        self.stopping = true;
        let clock = self.clock.clone();
        let drained = async {
            self.give_back_all("the relay ends");
            while !self.is_idle() {
                self.step().await;
            }
        };
        if timeout(&*clock, DRAIN_LIMIT, drained).await.is_none() {
            tracing::warn!(
                messages = self.sends + self.results.len(),
                "the relay ends before everything is answered and written down; another sends these messages again"
            );
        }
        match timeout(&*clock, RESIGN_LIMIT, self.store.resign(&self.name)).await {
            Some(Ok(())) => {}
            _ => tracing::warn!("the relay could not give up what it leads; others take over after outbox_lease"),
        }
        self.board.told().stats.leads = 0;
    }

    /// Begins what can be begun, and waits until something ends or is due. Dropping the future loses nothing.
    async fn step(&mut self) {
        let now = self.clock.monotonic();
        self.begin_lead(now);
        self.begin_resign(now);
        self.begin_sends(now);
        self.begin_settle(now);
        self.begin_claim(now);
        self.begin_chores(now);
        let wait = self.due(now).saturating_sub(now);
        let clock = self.clock.clone();
        // Where all answers are there at once, others have their turn too.
        consume_budget().await;
        if self.under_way.is_empty() {
            return clock.sleep(wait).await;
        }
        if let Some(Some(done)) = timeout(&*clock, wait, self.under_way.next()).await {
            self.handle(done);
            while let Some(Some(done)) = self.under_way.next().now_or_never() {
                self.handle(done);
            }
        }
    }

    /// Whether nothing is on its way and everything is written down.
    pub(super) fn is_idle(&self) -> bool {
        self.sends == 0 && !self.asked.claim && !self.asked.settle && self.results.is_empty() && self.hand.len() == 0
    }

    /// Asks the database, within a time limit.
    fn ask<T: Send + 'static>(
        &self,
        limit: Duration,
        ask: impl for<'a> FnOnce(&'a SharedOutbox, &'a str) -> BoxFuture<'a, Result<T>> + Send + 'static,
        done: impl FnOnce(Result<T>) -> Done + Send + 'static,
    ) {
        let (store, name, clock) = (self.store.clone(), self.name.clone(), self.clock.clone());
        self.under_way.push(Box::pin(async move {
            let answer = timeout(&*clock, limit, ask(&store, &name)).await;
            done(answer.unwrap_or_else(|| {
                let text = format!("the database of the outbox did not answer within {limit:?}");
                Err(Error::new(ErrorKind::Database, text))
            }))
        }));
    }

    fn answer_limit(&self) -> Duration {
        self.settings.outbox_lease.max(ANSWER_MIN)
    }

    /// A relay without a connection leaves the outbox to others.
    fn is_lonely(&self) -> bool {
        self.pause.failures() >= LONELY && !self.airfield.transport.is_connected()
    }

    fn may_lead(&self) -> bool {
        !self.asked.lead && !self.asked.resign && !self.must_resign && !self.stopping && !self.is_lonely()
    }

    fn begin_lead(&mut self, now: Duration) {
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

    fn begin_resign(&mut self, now: Duration) {
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

    /// The database has forgotten this relay: it comes back under another name.
    pub(super) fn rename(&mut self) {
        self.names += 1;
        self.name = format!("{}-{}", self.base, self.names);
    }

    fn begin_sends(&mut self, now: Duration) {
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
        let is_due = self.sends == 0 || self.hand.is_blocked() || self.results.len() * 2 >= self.batch();
        let gathered = if is_due { now } else { since + GATHER };
        Some(gathered.max(self.times.database))
    }

    fn begin_settle(&mut self, now: Duration) {
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

    /// How many messages may be claimed now.
    fn claimable(&self, now: Duration) -> usize {
        let is_held = self.stopping || self.must_resign || self.asked.claim || self.hand.is_blocked();
        let is_held = is_held || self.times.rest.is_some();
        if is_held || !self.fence.holds(now) || now < self.times.database || self.hand.bytes() >= HAND_BYTES {
            return 0;
        }
        let most = self.pause.room(self.batch(), now);
        // Behind a message of their key there may be more, so that one key does not keep the others out.
        let places = most.saturating_sub(self.hand.ready() + self.sends);
        let room = places.min((4 * most).saturating_sub(self.hand.len() + self.results.len()));
        if room * 4 < most { 0 } else { room.min((HAND_BYTES - self.hand.bytes()) / self.size.max(1) + 1) }
    }

    fn begin_claim(&mut self, now: Duration) {
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

    fn begin_chores(&mut self, now: Duration) {
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
    fn due(&self, now: Duration) -> Duration {
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
