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
use super::patience::{Look, Pause};
use super::results::Results;
use super::stats::Board;
use crate::clock::{SharedClock, timeout};
use crate::config::{Config, StoreSettings};
use crate::error::{Error, ErrorKind, Result};
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
    pub(super) base: String,
    /// Its name for the database: another one after each resignation, so that nothing of it is mixed up.
    pub(super) name: String,
    pub(super) names: u32,
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
    pub(super) under_way: FuturesUnordered<BoxFuture<'static, Done>>,
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
    pub(super) fn ask<T: Send + 'static>(
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

    pub(super) fn answer_limit(&self) -> Duration {
        self.settings.outbox_lease.max(ANSWER_MIN)
    }

    /// The database has forgotten this relay: it comes back under another name.
    pub(super) fn rename(&mut self) {
        self.names += 1;
        self.name = format!("{}-{}", self.base, self.names);
    }
}
