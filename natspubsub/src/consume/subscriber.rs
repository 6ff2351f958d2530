//! Everything that the handling of one subscriber's deliveries needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::acks::Acks;
use super::failure_memory::FailureMemory;
use super::in_hand::{Holder, InHand};
use super::keeper::Keeper;
use super::load::Load;
use super::parking::Parking;
use super::polls::Polls;
use super::releases;
use super::settle::DeadReason;
use jiff::Timestamp;
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::error::Result;
use crate::handler::{Batcher, Chain, DynMiddleware, Services, Target};
use crate::message::{Context, Recipient};
use crate::metrics::{About, ConsumerMetrics, DeliveryMetrics, Ending};
use crate::middleware::{Breaker, Pace};
use crate::registry::Source;
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
    pub(crate) acks: Arc<Acks>,
    pub(crate) stats: Arc<StatsBoard>,
    /// The id of this process among those of the application.
    pub(crate) id: Arc<str>,
    /// Held by last attempts; alone by one under suspicion.
    pub(crate) quarantine: Arc<RwLock<()>>,
    /// The durables of the application.
    pub(crate) durables: Arc<[String]>,
    /// What each of them reads, as a label.
    pub(crate) subjects: Arc<[String]>,
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

/// What the messages of a subscriber are handed to: the middleware of all, its own, and its handler. Nobody where they are
/// advisories.
fn chain(plan: &SubscriberPlan, shared: &Shared) -> Option<Arc<Chain>> {
    let target = match plan.call {
        PlannedCall::Each(call) => Target::Each(call),
        PlannedCall::Batch(call, settings) => {
            let batcher = Batcher::new(call, settings, plan.settings.timeout, shared.clock.clone());
            Target::Batch(batcher.of(&plan.durable, Templates::of(plan.filters())))
        }
        PlannedCall::Sweep => return None,
    };
    Some(Chain::new(shared.layers.iter().cloned().chain(plan.layers.middleware()), target))
}

/// One subscriber at work.
pub(crate) struct Subscriber {
    pub(super) shared: Shared,
    /// Its place among the subscribers of the application.
    pub(super) index: usize,
    pub(super) plan: SubscriberPlan,
    /// What it counts; the sweeper counts apart.
    pub(super) stats: Arc<StatsBoard>,
    pub(super) metrics: Arc<DeliveryMetrics>,
    pub(super) consumer_metrics: ConsumerMetrics,
    /// Who it is, in dead letters and logs.
    pub(super) durable: Arc<str>,
    /// The name of its consumer on the server.
    pub(super) consumer: Arc<str>,
    pub(super) stream: Arc<str>,
    /// What contexts say about it.
    pub(super) recipient: Arc<Recipient>,
    /// What its deliveries are recorded under.
    pub(super) records: String,
    pub(super) memory: FailureMemory,
    pub(super) load: Load,
    pub(super) breaker: Breaker,
    pub(super) pace: Option<Pace>,
    pub(super) parking: Parking,
    templates: Templates,
    chain: Option<Arc<Chain>>,
    healing: AtomicBool,
    /// Messages that wait while none arrives; 0 while everything is well.
    stalled: AtomicU64,
    /// The message whose handler is stuck; 0 when none is.
    stuck: AtomicU64,
    pub(super) polls: Polls,
    /// Set when nothing more is pulled.
    pub(super) withdrawn: CancellationToken,
    ended: AtomicBool,
    /// Whether its stream is gone for good.
    left: AtomicBool,
}

impl Subscriber {
    pub(crate) fn new(index: usize, plan: &SubscriberPlan, shared: Shared) -> Self {
        let settings = &plan.settings;
        let recipient = Recipient {
            subscriber: plan.origin.name.into(),
            durable: plan.durable.as_str().into(),
            stream: plan.stream.as_str().into(),
            max_attempts: settings.max_attempts,
            ack_wait: settings.ack_wait,
            clock: shared.clock.clone(),
        };
        Self {
            chain: chain(plan, &shared),
            templates: Templates::of(plan.filters()),
            breaker: Breaker::new(settings.circuit_breaker.map(Into::into)),
            pace: settings.rate_limit.map(|rate| Pace::new(rate.count, Duration::from_nanos(rate.per_ns))),
            parking: Parking::default(),
            stats: match plan.call {
                PlannedCall::Sweep => Arc::default(),
                PlannedCall::Each(_) | PlannedCall::Batch(..) => shared.stats.clone(),
            },
            metrics: Arc::new(delivery_metrics(plan)),
            consumer_metrics: consumer_metrics(plan, &shared),
            records: plan.record_name(&shared.namespace),
            shared,
            index,
            durable: recipient.durable.clone(),
            consumer: plan.consumer_name().into(),
            stream: recipient.stream.clone(),
            recipient: recipient.into(),
            memory: FailureMemory::default(),
            load: Load::new(plan.settings.concurrency, plan.settings.prefetch),
            plan: plan.clone(),
            healing: AtomicBool::new(false),
            stalled: AtomicU64::new(0),
            stuck: AtomicU64::new(0),
            polls: Polls::default(),
            withdrawn: CancellationToken::new(),
            ended: AtomicBool::new(false),
            left: AtomicBool::new(false),
        }
    }

    pub(super) fn holder(&self) -> Holder<'_> {
        Holder { index: self.index, ack_wait: self.plan.settings.ack_wait, metrics: &self.metrics }
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

    /// Its middleware and its handler; the sweeper has none.
    pub(super) fn chain(&self) -> Option<&Arc<Chain>> {
        self.chain.as_ref()
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
        let hands = self.shared.keeper.of(self.index).into_iter().chain(self.shared.acks.of(self.index));
        hands.filter(|hand| hand.received().stored_at < stream_made_at).for_each(|hand| hand.make_void());
    }

    /// Its consumer was made again and delivers once more what is in hand.
    pub(super) fn lapse(&self) {
        self.shared.keeper.of(self.index).iter().for_each(|hand| hand.lapse());
    }

    /// Stops keeping its deliveries alive, so that the server gives them to another process.
    pub(crate) fn let_go(&self) {
        for hand in self.shared.keeper.of(self.index) {
            self.shared.keeper.forget(&hand);
            hand.end(Ending::Unanswered);
            self.stats.unanswered();
        }
    }

    /// Brings its gauges to what is known without asking the server.
    pub(crate) fn refresh_metrics(&self) {
        let clock = &self.shared.clock;
        let stalled = self.stalled.load(Ordering::Relaxed);
        self.consumer_metrics.refresh(stalled, self.breaker.circuit(), clock.now());
    }

    /// Why it pauses on purpose, in one sentence.
    pub(crate) fn pause(&self) -> Option<String> {
        let pause = self.breaker.pulls_again_in(self.shared.clock.monotonic())?;
        let (durable, seconds) = (&self.durable, pause.as_secs_f32());
        Some(format!("the circuit of {durable} is open: its messages are held, the next trial is in {seconds:.1} s"))
    }

    /// Whether it handles messages of the user, and its loops run.
    pub(crate) fn is_at_work(&self) -> bool {
        self.chain.is_some() && !self.ended.load(Ordering::Relaxed) && !self.has_left()
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

/// What a subscriber reads, as labels.
pub(crate) fn about(plan: &SubscriberPlan) -> About {
    match plan.source {
        Source::DeadLetter => About::of_dead_letters(&plan.topics),
        Source::Topic | Source::Subject | Source::Request => About::of(&plan.topics),
    }
}

fn delivery_metrics(plan: &SubscriberPlan) -> DeliveryMetrics {
    match plan.call {
        PlannedCall::Sweep => DeliveryMetrics::silent(),
        PlannedCall::Each(_) | PlannedCall::Batch(..) => {
            DeliveryMetrics::new(&about(plan), plan.origin.name, &DeadReason::NAMES)
        }
    }
}

fn consumer_metrics(plan: &SubscriberPlan, shared: &Shared) -> ConsumerMetrics {
    // The name of an ephemeral consumer is that of one process: its label would be a new one with each start.
    let consumer = if plan.settings.ephemeral { plan.origin.name } else { plan.consumer_name() };
    match plan.call {
        PlannedCall::Sweep => ConsumerMetrics::silent(),
        PlannedCall::Each(_) | PlannedCall::Batch(..) => {
            ConsumerMetrics::new(&plan.stream, consumer, shared.clock.now())
        }
    }
}
