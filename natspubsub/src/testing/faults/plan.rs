//! The faults of one run: what the seed has decided, for every process that runs on the broker one after the other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::crashes::Crashes;
use super::profile::Profile;
use super::spells::Spells;
use super::trace::Trace;
use super::transport::FaultyTransport;
use crate::clock::SharedClock;
use crate::testing::dice::Dice;
use crate::transport::SharedTransport;

/// The faults of one run.
#[derive(Debug)]
pub(crate) struct Faults {
    pub(super) profile: Profile,
    pub(super) clock: SharedClock,
    pub(super) trace: Trace,
    pub(super) partition: Spells,
    pub(super) full: Spells,
    pub(super) slow: Spells,
    pub(super) deaf: Spells,
    pub(super) of_publishes: Dice,
    pub(super) of_answers: Dice,
    pub(super) of_room: Dice,
    pub(super) of_deliveries: Dice,
    pub(super) of_pulls: Dice,
    pub(super) of_delays: Dice,
    /// Whether there are faults now: not while a process starts.
    active: AtomicBool,
    /// Whether all faults are over.
    healed: AtomicBool,
    /// The process that runs now.
    life: Mutex<Option<Arc<Crashes>>>,
    /// The newest delivery of each message to each consumer.
    newest: Mutex<BTreeMap<Place, u64>>,
    /// Rings when faults begin and when they end.
    pub(super) changed: Notify,
}

/// Stream, consumer and number of a message.
type Place = (String, String, u64);

impl Faults {
    /// The faults of a profile as a seed decides them. There are none before [`Faults::begin`].
    pub(crate) fn new(seed: u64, profile: Profile, clock: SharedClock) -> Arc<Self> {
        let dice = |concern| Dice::new(seed, concern);
        Arc::new(Self {
            trace: Trace::new(clock.clone()),
            partition: Spells::new(profile.partition, dice("partition")),
            full: Spells::new(profile.full_stream, dice("full")),
            slow: Spells::new(profile.slow_consumer, dice("slow")),
            deaf: Spells::new(profile.deaf_signals, dice("deaf")),
            of_publishes: dice("publishes"),
            of_answers: dice("answers"),
            of_room: dice("room"),
            of_deliveries: dice("deliveries"),
            of_pulls: dice("pulls"),
            of_delays: dice("delays"),
            active: AtomicBool::new(false),
            healed: AtomicBool::new(false),
            life: Mutex::default(),
            newest: Mutex::default(),
            changed: Notify::new(),
            clock,
            profile,
        })
    }

    /// A process: its connection to the broker, and its life. Called on the runtime of the process. It starts without
    /// faults, until [`Faults::begin`].
    pub(crate) fn connect(self: &Arc<Self>, broker: SharedTransport) -> (SharedTransport, Arc<Crashes>) {
        self.active.store(false, Ordering::Release);
        let life = Arc::new(Crashes::new(self.clock.clone(), self.trace.clone()));
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = Some(life.clone());
        (Arc::new(FaultyTransport::new(broker, self.clone(), life.clone())), life)
    }

    /// What has happened so far.
    pub(crate) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// From now on there are faults: a process has started.
    pub(crate) fn begin(&self) {
        if !self.healed.load(Ordering::Acquire) {
            let now = self.clock.monotonic();
            self.all_spells().for_each(|spells| spells.begin(now));
            self.active.store(true, Ordering::Release);
            self.trace.note(format_args!("start"));
            self.changed.notify_waiters();
        }
    }

    /// From now on there are no faults, so that everything can come to its end.
    pub(crate) fn heal(&self) {
        if !self.healed.swap(true, Ordering::AcqRel) {
            let now = self.clock.monotonic();
            self.all_spells().for_each(|spells| spells.end(now));
            self.active.store(false, Ordering::Release);
            if let Some(life) = &*self.life.lock().unwrap_or_else(PoisonError::into_inner) {
                life.call_off();
            }
            self.trace.note(format_args!("heal"));
            self.changed.notify_waiters();
        }
    }

    fn all_spells(&self) -> impl Iterator<Item = &Spells> {
        [&self.partition, &self.full, &self.slow, &self.deaf].into_iter()
    }

    pub(super) fn are_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    /// Whether something happens that has this probability.
    pub(super) fn happens(&self, dice: &Dice, probability: f64) -> bool {
        self.are_active() && dice.chance(probability)
    }

    /// How long something is on its way.
    pub(super) fn delay(&self) -> Duration {
        if self.are_active() { self.of_delays.time(self.profile.delay) } else { Duration::ZERO }
    }

    /// Until when the connection is broken, if it is.
    pub(super) fn broken_until(&self) -> Option<Duration> {
        self.lasts(&self.partition)
    }

    /// Until when a spell lasts, if there is one now.
    pub(super) fn lasts(&self, spells: &Spells) -> Option<Duration> {
        spells.until(self.clock.monotonic()).filter(|_| self.are_active())
    }

    /// Waits until the connection stands; `false` when it does not within the limit.
    pub(super) async fn stands_within(&self, limit: Duration) -> bool {
        let end = self.clock.monotonic() + limit;
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            let Some(until) = self.broken_until() else { return true };
            let now = self.clock.monotonic();
            if now >= end {
                return false;
            }
            let _ = futures::future::select(changed, self.clock.sleep(until.min(end) - now)).await;
        }
    }

    /// Notes a delivery by the broker.
    pub(super) fn note_delivery(&self, stream: &str, consumer: &str, sequence: u64, deliveries: u64) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.insert((stream.to_owned(), consumer.to_owned(), sequence), deliveries);
    }

    /// Whether the broker has delivered the message again since this delivery.
    pub(super) fn is_stale(&self, stream: &str, consumer: &str, sequence: u64, deliveries: u64) -> bool {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = newest.get(&(stream.to_owned(), consumer.to_owned(), sequence));
        newest.is_some_and(|newest| *newest != deliveries)
    }
}
