//! Everything that the handling of one subscriber's deliveries needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::breaker::Breaker;
use super::failure_memory::FailureMemory;
use super::in_hand::{Holder, InHand};
use super::keeper::Keeper;
use super::load::Load;
use super::pace::Pace;
use super::parking::Parking;
use super::polls::Polls;
use super::releases;
use jiff::Timestamp;
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::error::Result;
use crate::handler::{Batcher, CallFuture, Delivery, DynMiddleware, Services, Target};
use crate::message::Context;
use crate::stats::StatsBoard;
use crate::store::SharedInbox;
use crate::subject::Namespace;
use crate::topology::{PlannedCall, Restorer, SubscriberPlan};
use crate::trace::{Handling, Templates};
use crate::transport::SharedTransport;

/// What all subscribers of one application share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) namespace: Namespace,
    pub(crate) transport: SharedTransport,
    /// The most bytes that a compressed message may have once inflated.
    pub(crate) inflate_max: usize,
    /// Whether the baggage of a message is taken over.
    pub(crate) baggage: bool,
    pub(crate) clock: SharedClock,
    pub(crate) services: Arc<Services>,
    /// What remembers which events were handled, unless that happens in a transaction.
    pub(crate) inbox: Option<SharedInbox>,
    pub(crate) layers: Arc<[Arc<dyn DynMiddleware>]>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) stats: Arc<StatsBoard>,
    /// The id of this process among those of the application.
    pub(crate) id: Arc<str>,
    /// Held by last attempts; alone by one under suspicion.
    pub(crate) quarantine: Arc<RwLock<()>>,
    /// The durables of the application.
    pub(crate) durables: Arc<[String]>,
    /// Makes a stream or consumer again that vanishes.
    pub(crate) restorer: Arc<Restorer>,
    /// Set when the drain begins: what only waits is given back.
    pub(crate) stopping: CancellationToken,
}

impl Shared {
    /// Says on the server that this process is at work.
    pub(crate) async fn enter(&self) {
        releases::enter(self).await;
    }

    /// Says so again and again, until the application ends.
    pub(crate) async fn stay(self) {
        releases::stay(&self).await;
    }

    /// Takes that back, because the process ends well.
    pub(crate) async fn leave(&self) {
        releases::leave(self).await;
    }
}

/// What the messages of a subscriber are handed to.
enum Callee {
    Each(fn(Delivery) -> CallFuture),
    Batch(Batcher),
    /// Nobody: they are advisories.
    Sweeper,
}

impl Callee {
    fn of(plan: &SubscriberPlan, shared: &Shared) -> Self {
        match plan.call {
            PlannedCall::Each(call) => Self::Each(call),
            PlannedCall::Batch(call, settings) => {
                let batcher = Batcher::new(call, settings, plan.settings.timeout, shared.clock.clone());
                Self::Batch(batcher.of(&plan.durable, Templates::of(plan.filters())))
            }
            PlannedCall::Sweep => Self::Sweeper,
        }
    }
}

/// One subscriber at work.
pub(crate) struct Subscriber {
    pub(super) shared: Shared,
    /// Its place among the subscribers of the application.
    pub(super) index: usize,
    pub(super) plan: SubscriberPlan,
    /// What it counts; the sweeper counts apart.
    pub(super) stats: Arc<StatsBoard>,
    pub(super) name: Arc<str>,
    /// Who it is, in dead letters and logs.
    pub(super) durable: Arc<str>,
    /// The name of its consumer on the server.
    pub(super) consumer: Arc<str>,
    pub(super) stream: Arc<str>,
    /// What its deliveries are recorded under.
    pub(super) records: String,
    pub(super) memory: FailureMemory,
    pub(super) load: Load,
    pub(super) breaker: Breaker,
    pub(super) pace: Option<Pace>,
    pub(super) parking: Parking,
    templates: Templates,
    call: Callee,
    healing: AtomicBool,
    /// Messages that wait while none arrives; 0 while everything is well.
    stalled: AtomicU64,
    /// The message whose handler is stuck; 0 when none is.
    stuck: AtomicU64,
    pub(super) polls: Polls,
    ended: AtomicBool,
    /// Whether its stream is gone for good.
    left: AtomicBool,
}

impl Subscriber {
    pub(crate) fn new(index: usize, plan: &SubscriberPlan, shared: Shared) -> Self {
        let settings = &plan.settings;
        Self {
            call: Callee::of(plan, &shared),
            templates: Templates::of(plan.filters()),
            breaker: Breaker::new(settings.circuit_breaker),
            pace: settings.rate_limit.map(Pace::new),
            parking: Parking::default(),
            stats: match plan.call {
                PlannedCall::Sweep => Arc::default(),
                PlannedCall::Each(_) | PlannedCall::Batch(..) => shared.stats.clone(),
            },
            records: plan.record_name(&shared.namespace),
            shared,
            index,
            name: plan.origin.name.into(),
            durable: plan.durable.as_str().into(),
            consumer: plan.consumer_name().into(),
            stream: plan.stream.as_str().into(),
            memory: FailureMemory::default(),
            load: Load::new(plan.settings.concurrency, plan.settings.prefetch),
            plan: plan.clone(),
            healing: AtomicBool::new(false),
            stalled: AtomicU64::new(0),
            stuck: AtomicU64::new(0),
            polls: Polls::default(),
            ended: AtomicBool::new(false),
            left: AtomicBool::new(false),
        }
    }

    pub(super) fn holder(&self) -> Holder {
        Holder { index: self.index, ack_wait: self.plan.settings.ack_wait }
    }

    /// The stream and the consumer that it pulls from.
    #[cfg(feature = "testing")]
    pub(crate) fn place(&self) -> (String, String) {
        (self.stream.to_string(), self.consumer.to_string())
    }

    pub(crate) fn is_ephemeral(&self) -> bool {
        self.plan.settings.ephemeral
    }

    pub(crate) async fn delete_consumer(&self) -> Result<()> {
        self.shared.transport.delete_consumer(&self.stream, &self.consumer).await
    }

    /// What spans say about a message; without a context, as long as it is not read.
    pub(super) fn traced<'a>(&'a self, hand: &'a InHand, context: Option<&'a Context>) -> Handling<'a> {
        let received = hand.received();
        Handling {
            subject: &received.subject,
            templates: &self.templates,
            group: Some(&self.durable),
            event_id: context.map_or("", Context::event_id),
            headers: &received.headers,
            size: received.body.len(),
            deliveries: received.deliveries,
            attempt: context.map_or(received.deliveries, Context::attempt),
            baggage: self.shared.baggage,
        }
    }

    /// What lies innermost in the middleware; nothing does for the sweeper.
    pub(super) fn target(&self) -> Option<Target<'_>> {
        match &self.call {
            Callee::Each(call) => Some(Target::Each(*call)),
            Callee::Batch(batcher) => Some(Target::Batch(batcher)),
            Callee::Sweeper => None,
        }
    }

    pub(super) fn set_healing(&self, healing: bool) {
        self.healing.store(healing, Ordering::Relaxed);
    }

    /// What it needs and the account may not do.
    pub(super) fn denied(&self) -> Option<String> {
        self.shared.transport.denied(&self.stream, &self.consumer)
    }

    /// Notes how many messages wait while none arrives.
    pub(super) fn set_stalled(&self, backlog: u64) {
        self.stalled.store(backlog, Ordering::Relaxed);
    }

    /// Notes the message whose handler is stuck, if one is; whether it was not known before.
    pub(super) fn set_stuck(&self, sequence: Option<u64>) -> bool {
        let sequence = sequence.unwrap_or(0);
        self.stuck.swap(sequence, Ordering::Relaxed) != sequence && sequence > 0
    }

    /// Whether it reads what this plan reads.
    pub(crate) fn reads(&self, plan: &SubscriberPlan) -> bool {
        (&self.plan.stream, &self.plan.durable) == (&plan.stream, &plan.durable) && !self.has_left()
    }

    /// Whether the application whose stream it read is gone.
    pub(crate) fn has_left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }

    /// Notes that the application whose stream it read is gone.
    pub(super) fn leave(&self) {
        self.left.store(true, Ordering::Relaxed);
    }

    /// Notes that its loops have ended, as planned or not.
    pub(crate) fn set_ended(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Its stream was deleted and made again: the numbers of what is in hand of the old one are those of new messages.
    pub(super) fn make_void(&self, stream_made_at: Timestamp) {
        let hands = self.shared.keeper.of(self.index);
        hands.iter().filter(|hand| hand.received().stored_at < stream_made_at).for_each(|hand| hand.make_void());
    }

    /// Its consumer was made again and delivers once more what is in hand.
    pub(super) fn lapse(&self) {
        self.shared.keeper.of(self.index).iter().for_each(|hand| hand.lapse());
    }

    /// Stops keeping its deliveries alive, so that the server gives them to another process.
    pub(crate) fn let_go(&self) {
        for hand in self.shared.keeper.of(self.index) {
            self.shared.keeper.forget(&hand);
            self.stats.unanswered();
        }
    }

    /// Why it pauses on purpose, in one sentence.
    pub(crate) fn pause(&self) -> Option<String> {
        let pause = self.breaker.pulls_again_in(self.shared.clock.monotonic())?;
        let (durable, seconds) = (&self.durable, pause.as_secs_f32());
        Some(format!("the circuit of {durable} is open: its messages are held, the next trial is in {seconds:.1} s"))
    }

    /// What keeps it from receiving messages, in one sentence.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.has_left() {
            return None;
        }
        if self.ended.load(Ordering::Relaxed) {
            return Some(format!("the subscriber of {} does not run", self.durable));
        }
        let stuck = self.stuck.load(Ordering::Relaxed);
        if stuck > 0 {
            let (handler, durable) = (self.plan.origin.name, &self.durable);
            return Some(format!(
                "the handler {handler} of {durable} is stuck with message {stuck}: it blocks its thread"
            ));
        }
        if let Some(subject) = self.denied() {
            return Some(format!("permission denied for {subject}, which {} needs", self.durable));
        }
        let stalled = self.stalled.load(Ordering::Relaxed);
        if stalled > 0 {
            let durable = &self.durable;
            return Some(format!("{stalled} message(s) wait at the consumer {durable}, and none arrives"));
        }
        let healing = self.healing.load(Ordering::Relaxed);
        healing.then(|| format!("the consumer {} is lost and is being made again", self.durable))
    }
}
