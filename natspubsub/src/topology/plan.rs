//! From declarations and configuration to the wanted streams and consumers. Pure; collects every fault.

use std::collections::HashMap;
use std::time::Duration;

use natspubsub_grammar::Pattern;
use serde_json::{Value, json};

use crate::config::{Config, Storage, StreamSettings};
use crate::handler::CallFuture;
use crate::handler::Delivery;
use crate::registry::{Registry, SubscriberDescriptor, SubscriberOptions};
use crate::subject::Namespace;
use crate::transport::AssetConfig;

const CONCURRENCY: u32 = 16;
const ACK_WAIT: Duration = Duration::from_secs(30);
const MAX_ATTEMPTS: u32 = 5;
const BACKOFF: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
];
const MAX_BACKOFF: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(60);

/// Dead letters are kept long enough for a person to look at them.
const DEAD_LETTER_MAX_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The engine counts attempts. At a limit of its own the server stops delivering in silence, so it has none.
const MAX_DELIVER_UNLIMITED: i64 = -1;

/// The server's default; a smaller number would stop deliveries to the other instances without an error.
const ACK_PENDING_MIN: u32 = 1_000;

/// The wanted state of the server for one application.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) streams: Vec<AssetConfig>,
    pub(crate) subscribers: Vec<SubscriberPlan>,
}

/// One subscriber with every name and value decided.
#[derive(Debug, Clone)]
pub(crate) struct SubscriberPlan {
    pub(crate) function: &'static str,
    pub(crate) crate_name: &'static str,
    pub(crate) module: &'static str,
    pub(crate) file: &'static str,
    pub(crate) line: u32,
    pub(crate) payload: &'static str,
    pub(crate) durable: String,
    pub(crate) stream: String,
    pub(crate) topics: &'static [&'static str],
    pub(crate) consumer: AssetConfig,
    pub(crate) settings: SubscriberSettings,
    pub(crate) call: fn(Delivery) -> CallFuture,
}

impl SubscriberPlan {
    /// `file:line` of the declaration.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

/// The options of a subscriber with defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SubscriberSettings {
    pub(crate) concurrency: u32,
    pub(crate) prefetch: u32,
    pub(crate) ack_wait: Duration,
    pub(crate) max_attempts: u32,
    pub(crate) retry: RetryPolicy,
    /// `None` is no limit.
    pub(crate) timeout: Option<Duration>,
    pub(crate) dead_letter: bool,
}

/// The delays between attempts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RetryPolicy {
    /// At least one step; past the end the last one is doubled.
    pub(crate) steps: Vec<Duration>,
    pub(crate) longest: Duration,
    pub(crate) jitter: bool,
}

/// The wanted state, or every fault.
pub(crate) fn plan(registry: &Registry, config: &Config) -> Result<Plan, Vec<String>> {
    let mut faults = Vec::new();
    let mut subscribers = Vec::new();
    for descriptor in &registry.subscribers {
        match subscriber(descriptor, &config.namespace) {
            Ok(planned) => subscribers.push(planned),
            Err(fault) => faults.push(format!("{}: {fault}", descriptor.place())),
        }
    }
    faults.extend(shared_durables(&subscribers));
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Plan { streams: streams(&config.namespace, &config.stream), subscribers })
}

fn subscriber(descriptor: &'static SubscriberDescriptor, namespace: &Namespace) -> Result<SubscriberPlan, String> {
    let function = descriptor.function;
    let durable = descriptor.options.durable.map_or_else(|| format!("{}-{function}", namespace.app()), str::to_owned);
    natspubsub_grammar::check_name(&durable).map_err(|fault| format!("the durable of {function}: {fault}"))?;
    let patterns = patterns(descriptor)?;
    let settings = settings(&descriptor.options);
    let filters = patterns.iter().map(|pattern| namespace.subject(&pattern.filter())).collect();
    Ok(SubscriberPlan {
        function,
        crate_name: descriptor.crate_name,
        module: descriptor.module,
        file: descriptor.file,
        line: descriptor.line,
        payload: (descriptor.payload)(),
        stream: namespace.stream(),
        topics: descriptor.topics,
        consumer: consumer(&durable, filters, &settings),
        durable,
        settings,
        call: descriptor.call,
    })
}

/// The patterns of a subscriber; the server refuses two that overlap in one consumer (10138).
fn patterns(descriptor: &SubscriberDescriptor) -> Result<Vec<Pattern>, String> {
    let mut patterns: Vec<Pattern> = Vec::new();
    for topic in descriptor.topics {
        let pattern = Pattern::topic(topic).map_err(|fault| fault.to_string())?;
        if let Some((other, example)) = patterns.iter().find_map(|other| Some((other, other.overlaps(&pattern)?))) {
            let function = descriptor.function;
            return Err(format!(
                "{function} subscribes to {other} and {pattern}, which both match {example:?}; keep the wider one"
            ));
        }
        patterns.push(pattern);
    }
    Ok(patterns)
}

fn settings(options: &SubscriberOptions) -> SubscriberSettings {
    let concurrency = options.concurrency.unwrap_or(CONCURRENCY);
    let steps = match options.backoff_ns {
        Some(steps) => steps.iter().map(|step| Duration::from_nanos(*step)).collect(),
        None => BACKOFF.to_vec(),
    };
    let timeout = options.timeout_ns.map_or(TIMEOUT, Duration::from_nanos);
    SubscriberSettings {
        concurrency,
        prefetch: options.prefetch.unwrap_or(concurrency),
        ack_wait: options.ack_wait_ns.map_or(ACK_WAIT, Duration::from_nanos),
        max_attempts: options.max_attempts.unwrap_or(MAX_ATTEMPTS),
        retry: RetryPolicy {
            steps,
            longest: options.max_backoff_ns.map_or(MAX_BACKOFF, Duration::from_nanos),
            jitter: options.jitter.unwrap_or(true),
        },
        timeout: Some(timeout).filter(|timeout| !timeout.is_zero()),
        dead_letter: options.dead_letter.unwrap_or(true),
    }
}

/// Two subscribers on one durable would each get half of the messages.
fn shared_durables(subscribers: &[SubscriberPlan]) -> Vec<String> {
    let mut first: HashMap<&str, &SubscriberPlan> = HashMap::new();
    let mut faults = Vec::new();
    for subscriber in subscribers {
        if let Some(other) = first.insert(&subscriber.durable, subscriber) {
            let (here, there) = (subscriber.place(), other.place());
            let (function, other_function, durable) = (subscriber.function, other.function, &subscriber.durable);
            faults.push(format!(
                "{here}: {function} has the durable {durable:?}, which {other_function} at {there} has too, so that each would get half of the messages; write durable = \"..\" on one of them"
            ));
        }
    }
    faults
}

/// The stream of the application and the stream of its dead letters.
fn streams(namespace: &Namespace, settings: &StreamSettings) -> Vec<AssetConfig> {
    let stream = |name: String, subjects: String, storage: Storage, max_age: Duration| {
        object(json!({
            "name": name,
            "subjects": [subjects],
            "retention": "limits",
            "storage": match storage { Storage::File => "file", Storage::Memory => "memory" },
            "discard": "old",
            "max_age": nanos(max_age),
            "num_replicas": settings.replicas,
            "duplicate_window": nanos(settings.duplicate_window),
        }))
    };
    vec![
        stream(namespace.stream(), namespace.subjects(), settings.storage, settings.max_age),
        stream(namespace.dead_letter_stream(), namespace.dead_letter_subjects(), settings.storage, DEAD_LETTER_MAX_AGE),
    ]
}

/// A durable pull consumer. `backoff` stays absent: it replaces `ack_wait` and distorts the delay of a NAK.
fn consumer(durable: &str, mut filters: Vec<String>, settings: &SubscriberSettings) -> AssetConfig {
    let (one, many) = match filters.len() {
        1 => (json!(filters.remove(0)), Value::Null),
        _ => (Value::Null, json!(filters)),
    };
    let capacity = settings.concurrency.saturating_add(settings.prefetch);
    object(json!({
        "durable_name": durable,
        "filter_subject": one,
        "filter_subjects": many,
        "deliver_policy": "all",
        "ack_policy": "explicit",
        "replay_policy": "instant",
        "ack_wait": nanos(settings.ack_wait),
        "max_deliver": MAX_DELIVER_UNLIMITED,
        "max_ack_pending": capacity.saturating_mul(4).max(ACK_PENDING_MIN),
        "backoff": Value::Null,
    }))
}

fn object(value: Value) -> AssetConfig {
    match value {
        Value::Object(map) => map,
        _ => AssetConfig::new(),
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
