//! One who listens to core NATS at work, and what all of an application share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::backlog::Backlog;
use super::tally::Tally;
use crate::clock::SharedClock;
use crate::handler::{Chain, DynMiddleware, Services, Target};
use crate::message::{Context, Recipient};
use crate::metrics::{About, DeliveryMetrics};
use crate::stats::StatsBoard;
use crate::topology::{CoreCall, CorePlan};
use crate::trace::{Handling, Templates};
use crate::transport::SharedTransport;

/// What all listeners of one application share.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) transport: SharedTransport,
    pub(crate) clock: SharedClock,
    pub(crate) services: Arc<Services>,
    pub(crate) layers: Arc<[Arc<dyn DynMiddleware>]>,
    pub(crate) stats: Arc<StatsBoard>,
    /// The most bytes that a compressed message may have once inflated.
    pub(crate) inflate_max: usize,
    /// Whether the baggage of a message is taken over.
    pub(crate) baggage: bool,
}

/// One who listens at work.
pub(crate) struct Listener {
    pub(super) ground: Ground,
    pub(super) plan: CorePlan,
    /// The middleware of all, its own, and its handler.
    pub(super) chain: Arc<Chain>,
    pub(super) name: Arc<str>,
    /// What contexts say about it.
    pub(super) recipient: Arc<Recipient>,
    pub(super) metrics: Arc<DeliveryMetrics>,
    pub(super) backlog: Backlog,
    pub(super) tally: Tally,
    templates: Templates,
    /// Messages that are handled.
    running: std::sync::atomic::AtomicUsize,
    ended: AtomicBool,
}

impl Listener {
    pub(crate) fn new(plan: &CorePlan, ground: Ground) -> Self {
        let target = match plan.call {
            CoreCall::Each(call) => Target::Each(call),
            CoreCall::Reply(call) => Target::Reply(call),
        };
        let recipient = Recipient {
            subscriber: plan.origin.name.into(),
            // Who it is in contexts and logs: the queue group, else the function.
            durable: plan.queue.as_deref().unwrap_or(plan.origin.name).into(),
            // Nobody stores its messages, or delivers them again.
            stream: "".into(),
            max_attempts: 1,
            ack_wait: Duration::ZERO,
            clock: ground.clock.clone(),
        };
        Self {
            chain: Chain::new(ground.layers.iter().cloned().chain(plan.layers.middleware()), target),
            ground,
            name: recipient.subscriber.clone(),
            recipient: recipient.into(),
            metrics: Arc::new(delivery_metrics(plan)),
            backlog: Backlog::new(plan.pending),
            tally: Tally::default(),
            templates: Templates::of(plan.subjects()),
            running: Default::default(),
            ended: AtomicBool::new(false),
            plan: plan.clone(),
        }
    }

    /// Notes how many messages are handled.
    pub(super) fn set_running(&self, running: usize) {
        self.running.store(running, Ordering::Relaxed);
    }

    /// Handlers that have nothing to do.
    pub(super) fn idle(&self) -> usize {
        (self.plan.concurrency as usize).saturating_sub(self.running.load(Ordering::Relaxed))
    }

    /// Messages that wait or are handled.
    #[cfg(feature = "testing")]
    pub(crate) fn in_hand(&self) -> usize {
        self.backlog.len() + self.running.load(Ordering::Relaxed)
    }

    /// What spans say about a message.
    pub(super) fn traced<'a>(&'a self, context: &'a Context, size: usize) -> Handling<'a> {
        Handling {
            subject: context.subject(),
            templates: &self.templates,
            group: self.plan.queue.as_deref(),
            event_id: context.event_id(),
            headers: context.headers(),
            size,
            deliveries: context.deliveries(),
            attempt: context.attempt(),
            baggage: self.ground.baggage,
        }
    }

    /// The name of its function.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Notes that its loops have ended, as planned or not.
    pub(crate) fn set_ended(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Whether its loops run.
    pub(crate) fn is_at_work(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }

    /// What keeps it from receiving messages, in one sentence.
    pub(crate) fn problem(&self) -> Option<String> {
        let name = &self.name;
        if self.ended.load(Ordering::Relaxed) {
            return Some(format!("the listener {name} does not run"));
        }
        let denied = self.plan.subjects().find(|subject| self.ground.transport.denies_listening(subject))?;
        Some(format!("{name} hears nothing: the account may not subscribe to {denied}"))
    }
}

/// There are no dead letters: nobody stored the messages.
fn delivery_metrics(plan: &CorePlan) -> DeliveryMetrics {
    let patterns: Vec<String> = plan.subjects().collect();
    DeliveryMetrics::new(&About::of(&patterns), plan.origin.name, &[])
}
