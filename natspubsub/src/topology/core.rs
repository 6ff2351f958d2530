//! The wanted state of what listens to core NATS. Pure.

use std::time::Duration;

use natspubsub_grammar::Pattern;

use super::plan::patterns;
use super::settings::TIMEOUT;
use crate::config::Config;
use crate::handler::{CallFuture, Delivery, ReplyFuture};
use crate::registry::{Call, Origin, OwnLayers, Source, SubscriberDescriptor};

/// Messages that wait beyond those that are handled.
const PENDING: u32 = 65_536;

/// One who listens to core NATS, with every name and value decided.
#[derive(Debug, Clone)]
pub(crate) struct CorePlan {
    pub(crate) origin: Origin,
    pub(crate) payload: &'static str,
    /// The patterns with every `${name}` filled in.
    pub(crate) patterns: Vec<Pattern>,
    /// One member of it receives a message; without one every instance does.
    pub(crate) queue: Option<String>,
    /// Handlers that run at once.
    pub(crate) concurrency: u32,
    /// Messages that wait beyond those; what comes on top is dropped.
    pub(crate) pending: u32,
    /// `None` is no limit.
    pub(crate) timeout: Option<Duration>,
    /// Whether the body lies in an envelope.
    pub(crate) envelope: bool,
    /// The topic that the returned value is published under.
    pub(crate) publishes: Option<&'static str>,
    pub(crate) layers: OwnLayers,
    pub(crate) call: CoreCall,
}

impl CorePlan {
    /// The subjects that it listens on.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = String> {
        self.patterns.iter().map(Pattern::filter)
    }

    /// Whether it answers requests.
    pub(crate) fn answers(&self) -> bool {
        matches!(self.call, CoreCall::Reply(_))
    }
}

/// What is called with a message of core NATS.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CoreCall {
    /// It listens.
    Each(fn(Delivery) -> CallFuture),
    /// It answers.
    Reply(fn(Delivery) -> ReplyFuture),
}

impl CoreCall {
    /// What is called, if the declaration is about core NATS.
    pub(super) fn of(descriptor: &SubscriberDescriptor) -> Option<Self> {
        match (descriptor.source, descriptor.call, descriptor.options.transport) {
            (Source::Request, Call::Reply(call), _) => Some(Self::Reply(call)),
            (Source::Subject, Call::Each(call), Some("core")) => Some(Self::Each(call)),
            _ => None,
        }
    }
}

/// The plan of one who listens, or every fault.
pub(super) fn core_plan(
    descriptor: &SubscriberDescriptor,
    call: CoreCall,
    config: &Config,
) -> Result<CorePlan, Vec<String>> {
    let mut faults = Vec::new();
    let (options, patterns) = (&descriptor.options, patterns(descriptor, config, &mut faults));
    if !faults.is_empty() {
        return Err(faults);
    }
    let answers = matches!(call, CoreCall::Reply(_));
    let queue = match answers {
        // The instances of an application share the requests.
        true => Some(config.app().to_owned()),
        false => options.queue.map(str::to_owned),
    };
    let timeout = options.timeout_ns.map_or(TIMEOUT, Duration::from_nanos);
    Ok(CorePlan {
        origin: descriptor.origin,
        payload: (descriptor.payload)(),
        patterns,
        queue,
        concurrency: options.concurrency.unwrap_or(config.subscriber.concurrency),
        pending: options.pending.unwrap_or(PENDING),
        timeout: Some(timeout).filter(|timeout| !timeout.is_zero()),
        // A request is written without one.
        envelope: !answers && options.envelope.unwrap_or(true),
        publishes: options.publishes,
        layers: OwnLayers::made(options.middleware),
        call,
    })
}

/// Two members of a queue group that hear the same subjects would each get half of the messages.
pub(super) fn shared_queues(planned: &[CorePlan]) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, one) in planned.iter().enumerate().filter(|(_, one)| one.queue.is_some()) {
        for other in planned[..index].iter().filter(|other| other.queue == one.queue) {
            let pairs = one.patterns.iter().flat_map(|own| other.patterns.iter().map(move |its| (own, its)));
            if let Some(example) = pairs.filter_map(|(own, its)| own.overlaps(its)).next() {
                let (here, there, queue) = (one.origin.place(), other.origin.place(), one.queue.as_deref());
                let (function, other, queue) = (one.origin.name, other.origin.name, queue.unwrap_or_default());
                faults.push(format!(
                    "{here}: {function} and {other} at {there} both listen in the queue group {queue:?} to {example:?}, so that each would get half of the messages; narrow one of the patterns, or give it another queue"
                ));
            }
        }
    }
    faults
}
