//! The loop of one subscriber: credit, deliveries, running handlers, and the way out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::dead_letter::FailureMemory;
use super::in_hand::InHand;
use super::keeper::Keeper;
use super::run::run;
use super::settle::release;
use super::stats::StatsBoard;
use crate::clock::SharedClock;
use crate::handler::{DynMiddleware, Services};
use crate::subject::Namespace;
use crate::topology::{SubscriberPlan, ensure_consumer};
use crate::transport::{Pull, PullEvent, SharedTransport};

/// How long a pull request waits at the server. A peer that takes over after a restart waits no longer than this.
const PULL_EXPIRES: Duration = Duration::from_secs(5);

/// Pauses before a pull is opened again: from the first to the second value, doubling.
const HEAL_PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How long a withdrawn pull may take to say that nothing more comes.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// Everything that the handling of one subscriber's deliveries needs.
pub(crate) struct Subscriber {
    pub(crate) index: usize,
    pub(crate) plan: SubscriberPlan,
    pub(crate) name: Arc<str>,
    pub(crate) durable: Arc<str>,
    pub(crate) stream: Arc<str>,
    pub(crate) namespace: Namespace,
    pub(crate) transport: SharedTransport,
    pub(crate) clock: SharedClock,
    pub(crate) services: Arc<Services>,
    pub(crate) layers: Arc<[Arc<dyn DynMiddleware>]>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) stats: Arc<StatsBoard>,
    pub(crate) memory: FailureMemory,
    pub(crate) status: Arc<SubscriberStatus>,
}

/// What health wants to know about a subscriber.
#[derive(Debug, Default)]
pub(crate) struct SubscriberStatus {
    healing: AtomicBool,
}

impl SubscriberStatus {
    /// Whether the subscriber has lost its consumer and is getting it back.
    pub(crate) fn is_healing(&self) -> bool {
        self.healing.load(Ordering::Relaxed)
    }
}

/// The running loop of one subscriber.
pub(crate) struct Worker {
    subscriber: Arc<Subscriber>,
    pull: PullState,
    queue: VecDeque<Arc<InHand>>,
    running: FuturesUnordered<BoxFuture<'static, ()>>,
    /// Messages that open pull requests may still bring.
    outstanding: u32,
}

enum PullState {
    Open(Box<dyn Pull>),
    Healing(BoxFuture<'static, Box<dyn Pull>>),
    Stopped,
}

/// What the loop waits for.
enum Step {
    Pulled(PullEvent),
    Healed(Box<dyn Pull>),
    Ran,
    Stop,
    Cut,
}

impl Worker {
    pub(crate) fn new(subscriber: Arc<Subscriber>, pull: Box<dyn Pull>) -> Self {
        Self {
            subscriber,
            pull: PullState::Open(pull),
            queue: VecDeque::new(),
            running: FuturesUnordered::new(),
            outstanding: 0,
        }
    }

    /// Works until `stop`, then finishes what is in hand, then releases what is left at `cut`.
    pub(crate) async fn run(mut self, stop: CancellationToken, cut: CancellationToken) {
        let mut stopping = false;
        loop {
            self.start_queued();
            if !stopping {
                self.top_up().await;
            } else if matches!(self.pull, PullState::Stopped) && self.queue.is_empty() && self.running.is_empty() {
                break;
            }
            match self.step(&stop, stopping, &cut).await {
                Step::Pulled(event) => self.note(event),
                Step::Healed(pull) => {
                    tracing::info!(consumer = %self.subscriber.durable, "the consumer is back");
                    self.subscriber.status.healing.store(false, Ordering::Relaxed);
                    self.pull = PullState::Open(pull);
                }
                Step::Ran => {}
                Step::Stop => {
                    stopping = true;
                    self.stop_pulling().await;
                }
                Step::Cut => break,
            }
        }
        self.release_rest().await;
    }

    async fn step(&mut self, stop: &CancellationToken, stopping: bool, cut: &CancellationToken) -> Step {
        let pulled = async {
            match &mut self.pull {
                PullState::Open(pull) => Step::Pulled(pull.next().await),
                PullState::Healing(healing) => Step::Healed(healing.await),
                PullState::Stopped => std::future::pending().await,
            }
        };
        let idle = stopping && self.queue.is_empty() && self.running.is_empty();
        tokio::select! {
            biased;
            () = cut.cancelled() => Step::Cut,
            () = stop.cancelled(), if !stopping => Step::Stop,
            Some(()) = self.running.next(), if !self.running.is_empty() => Step::Ran,
            step = pulled => step,
            () = self.subscriber.clock.sleep(STOP_LIMIT), if idle => Step::Cut,
        }
    }

    fn capacity(&self) -> u32 {
        let settings = &self.subscriber.plan.settings;
        settings.concurrency.saturating_add(settings.prefetch)
    }

    fn start_queued(&mut self) {
        while self.running.len() < self.subscriber.plan.settings.concurrency as usize {
            let Some(hand) = self.queue.pop_front() else { break };
            self.running.push(Box::pin(run(self.subscriber.clone(), hand)));
        }
    }

    /// Asks for as many messages as there is room for: running, queued and asked for never exceed the capacity.
    async fn top_up(&mut self) {
        let capacity = self.capacity();
        let in_hand = u32::try_from(self.running.len() + self.queue.len()).unwrap_or(u32::MAX);
        let credit = capacity.saturating_sub(in_hand).saturating_sub(self.outstanding);
        // One request for many messages: wait until a quarter of the capacity is free, unless nothing is asked for.
        let worth = if self.outstanding == 0 { 1 } else { (capacity / 4).max(1) };
        let PullState::Open(pull) = &mut self.pull else { return };
        if credit < worth {
            return;
        }
        match pull.request(credit, PULL_EXPIRES).await {
            Ok(()) => self.outstanding += credit,
            Err(error) => self.heal(&error.to_string()),
        }
    }

    fn note(&mut self, event: PullEvent) {
        match event {
            PullEvent::Message(received) => {
                self.outstanding = self.outstanding.saturating_sub(1);
                self.subscriber.stats.received();
                let ack_wait = self.subscriber.plan.settings.ack_wait;
                let hand = self.subscriber.keeper.hold(self.subscriber.index, *received, ack_wait);
                self.queue.push_back(hand);
            }
            PullEvent::Ended { unfilled } => self.outstanding = self.outstanding.saturating_sub(unfilled),
            PullEvent::Reset => self.outstanding = 0,
            PullEvent::Gone(reason) => self.heal(&reason),
            PullEvent::Stopped => self.pull = PullState::Stopped,
        }
    }

    /// Gets the consumer back from the plan and opens a new pull, while handlers go on.
    fn heal(&mut self, reason: &str) {
        self.outstanding = 0;
        if matches!(self.pull, PullState::Stopped) {
            return;
        }
        tracing::error!(consumer = %self.subscriber.durable, stream = %self.subscriber.stream, reason, "the consumer is lost; getting it back");
        self.subscriber.status.healing.store(true, Ordering::Relaxed);
        self.pull = PullState::Healing(Box::pin(reopen(self.subscriber.clone())));
    }

    async fn stop_pulling(&mut self) {
        self.outstanding = 0;
        match &mut self.pull {
            PullState::Open(pull) => pull.stop().await,
            PullState::Healing(_) | PullState::Stopped => self.pull = PullState::Stopped,
        }
    }

    /// Gives back everything that did not end: handlers are dropped first, so that nothing runs when it is delivered
    /// to somebody else.
    async fn release_rest(&mut self) {
        self.running.clear();
        self.queue.clear();
        for hand in self.subscriber.keeper.of(self.subscriber.index) {
            release(&self.subscriber, &hand).await;
        }
    }
}

async fn reopen(subscriber: Arc<Subscriber>) -> Box<dyn Pull> {
    let (mut pause, longest) = HEAL_PAUSES;
    loop {
        subscriber.clock.sleep(pause).await;
        pause = (pause * 2).min(longest);
        if let Err(error) = ensure_consumer(&subscriber.plan, subscriber.transport.as_ref()).await {
            tracing::warn!(consumer = %subscriber.durable, %error, "the consumer is not back yet");
            continue;
        }
        match subscriber.transport.pull(&subscriber.stream, &subscriber.durable).await {
            Ok(pull) => return pull,
            Err(error) => tracing::warn!(consumer = %subscriber.durable, %error, "the pull cannot be opened yet"),
        }
    }
}
