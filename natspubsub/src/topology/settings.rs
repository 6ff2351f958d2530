//! The options of a subscriber with defaults filled in. Pure.

use std::time::Duration;

use crate::config::SubscriberDefaults;
use crate::handler::BatchSettings;
use crate::registry::{BreakerOption, Call, RateOption, Source, SubscriberDescriptor};

/// Of the reader of advisories, whose settings are not the user's.
const SWEEPER_ACK_WAIT: Duration = Duration::from_secs(30);
const SWEEPER_BACKOFF: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

const MAX_BACKOFF: Duration = Duration::from_secs(60);
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);

const BATCH_MAX: u32 = 100;
const BATCH_WAIT: Duration = Duration::from_millis(50);
const BATCHES_AT_ONCE: u32 = 1;

/// The options of a subscriber with defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SubscriberSettings {
    /// Deliveries that are on their way through middleware and handler at once.
    pub(crate) concurrency: u32,
    pub(crate) prefetch: u32,
    pub(crate) batch: Option<BatchSettings>,
    pub(crate) ack_wait: Duration,
    pub(crate) max_attempts: u32,
    pub(crate) retry: RetryPolicy,
    /// `None` is no limit.
    pub(crate) timeout: Option<Duration>,
    pub(crate) dead_letter: bool,
    /// Whether the body lies in an envelope.
    pub(crate) envelope: bool,
    pub(crate) confirm_ack: bool,
    /// How it remembers what it has handled, if it does.
    pub(crate) inbox: Option<Inbox>,
    pub(crate) ephemeral: bool,
    pub(crate) ordered_by: Option<&'static str>,
    pub(crate) rate_limit: Option<RateOption>,
    pub(crate) circuit_breaker: Option<BreakerOption>,
}

/// How a subscriber remembers what it has handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inbox {
    /// A row with a lease, written before and after the handler.
    Lease,
    /// A row in the transaction of the handler.
    Transaction,
}

impl Inbox {
    /// A transaction comes with the inbox, unless it is declined.
    fn of(descriptor: &SubscriberDescriptor) -> Option<Self> {
        match (descriptor.transaction, descriptor.options.inbox) {
            (_, Some(false)) | (false, None) => None,
            (true, _) => Some(Self::Transaction),
            (false, Some(true)) => Some(Self::Lease),
        }
    }
}

/// The delays between attempts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RetryPolicy {
    /// At least one step; past the end the last one is doubled.
    pub(crate) steps: Vec<Duration>,
    pub(crate) longest: Duration,
    pub(crate) jitter: bool,
}

/// Messages of a parked key take places; with keys there are more of them. Strict order needs none.
fn look_ahead(concurrency: u32, ordered: bool) -> u32 {
    match (ordered, concurrency) {
        (true, 1) => 0,
        (true, _) => concurrency.saturating_mul(4),
        (false, _) => concurrency,
    }
}

impl SubscriberSettings {
    /// Of the reader of advisories, which never gives up.
    pub(super) fn sweeper() -> Self {
        Self {
            concurrency: 4,
            prefetch: 4,
            batch: None,
            ack_wait: SWEEPER_ACK_WAIT,
            max_attempts: u32::MAX,
            retry: RetryPolicy { steps: SWEEPER_BACKOFF.to_vec(), longest: MAX_BACKOFF, jitter: true },
            timeout: None,
            dead_letter: false,
            envelope: true,
            confirm_ack: false,
            inbox: None,
            ephemeral: false,
            ordered_by: None,
            rate_limit: None,
            circuit_breaker: None,
        }
    }

    /// What the attribute says; where it says nothing, what the configuration does.
    pub(super) fn of(descriptor: &SubscriberDescriptor, defaults: &SubscriberDefaults) -> Self {
        let options = &descriptor.options;
        let batch = matches!(descriptor.call, Call::Batch(_)).then(|| BatchSettings {
            max: options.batch_max.unwrap_or(BATCH_MAX),
            wait: options.batch_wait_ns.map_or(BATCH_WAIT, Duration::from_nanos),
            at_once: options.concurrency.unwrap_or(BATCHES_AT_ONCE),
        });
        let (concurrency, prefetch) = match &batch {
            // While the last batch is handled, the next one is gathered.
            Some(batch) => (batch.max.saturating_mul(batch.at_once.saturating_add(1)), 0),
            None => {
                let concurrency = options.concurrency.unwrap_or(defaults.concurrency);
                (concurrency, options.prefetch.unwrap_or_else(|| look_ahead(concurrency, options.ordered_by.is_some())))
            }
        };
        let steps = match options.backoff_ns {
            Some(steps) => steps.iter().map(|step| Duration::from_nanos(*step)).collect(),
            None => defaults.backoff.clone(),
        };
        let timeout = options.timeout_ns.map_or(TIMEOUT, Duration::from_nanos);
        Self {
            concurrency,
            prefetch,
            batch,
            ack_wait: options.ack_wait_ns.map_or(defaults.ack_wait, Duration::from_nanos),
            max_attempts: options.max_attempts.unwrap_or(defaults.max_attempts),
            retry: RetryPolicy {
                steps,
                longest: options.max_backoff_ns.map_or(MAX_BACKOFF, Duration::from_nanos),
                jitter: options.jitter.unwrap_or(true),
            },
            timeout: Some(timeout).filter(|timeout| !timeout.is_zero()),
            // A dead letter of a dead letter would feed itself; it stays where it is.
            dead_letter: descriptor.source != Source::DeadLetter && options.dead_letter.unwrap_or(true),
            envelope: options.envelope.unwrap_or(true),
            confirm_ack: options.confirm_ack.unwrap_or(false),
            inbox: Inbox::of(descriptor),
            ephemeral: options.ephemeral.unwrap_or(false),
            ordered_by: options.ordered_by,
            rate_limit: options.rate_limit,
            circuit_breaker: options.circuit_breaker,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::Outcome;
    use crate::registry::{Origin, SubscriberOptions};

    fn descriptor(call: Call, options: SubscriberOptions) -> SubscriberDescriptor {
        let origin = Origin { name: "on_order", module: "m", crate_name: "c", file: "f", line: 1 };
        let (payload, requirements) = (|| "Order", Vec::new);
        SubscriberDescriptor {
            origin,
            source: Source::Topic,
            patterns: &["a"],
            options,
            payload,
            requirements,
            transaction: false,
            call,
        }
    }

    fn defaults() -> SubscriberDefaults {
        let backoff = vec![Duration::from_millis(5), Duration::from_millis(9)];
        SubscriberDefaults { concurrency: 3, max_attempts: 7, ack_wait: Duration::from_secs(11), backoff }
    }

    #[test]
    fn the_configuration_decides_what_the_attribute_leaves_open() {
        let each = Call::Each(|_| Box::pin(async { Outcome::Ack }));
        let settings = SubscriberSettings::of(&descriptor(each, SubscriberOptions::UNWRITTEN), &defaults());
        assert_eq!((settings.concurrency, settings.prefetch, settings.max_attempts), (3, 3, 7));
        assert_eq!((settings.ack_wait, settings.retry.steps), (Duration::from_secs(11), defaults().backoff));
    }

    #[test]
    fn what_the_attribute_says_wins() {
        let options = SubscriberOptions {
            concurrency: Some(2),
            max_attempts: Some(4),
            ack_wait_ns: Some(6),
            backoff_ns: Some(&[8]),
            ..SubscriberOptions::UNWRITTEN
        };
        let each = Call::Each(|_| Box::pin(async { Outcome::Ack }));
        let settings = SubscriberSettings::of(&descriptor(each, options), &defaults());
        assert_eq!((settings.concurrency, settings.max_attempts), (2, 4));
        assert_eq!((settings.ack_wait, settings.retry.steps), (Duration::from_nanos(6), vec![Duration::from_nanos(8)]));
    }

    #[test]
    fn batches_are_handled_one_at_a_time_whatever_the_configuration_says() {
        let batch = Call::Batch(|_| Box::pin(async { Vec::new() }));
        let settings = SubscriberSettings::of(&descriptor(batch, SubscriberOptions::UNWRITTEN), &defaults());
        assert_eq!((settings.batch.unwrap().at_once, settings.concurrency, settings.max_attempts), (1, 200, 7));
    }
}
