//! From declarations and configuration to the wanted streams and consumers. Pure; collects every fault.

use std::collections::HashMap;
use std::time::Duration;

use natspubsub_grammar::Pattern;
use serde_json::{Value, json};

use crate::config::{Config, Storage, StreamSettings};
use crate::handler::CallFuture;
use crate::handler::Delivery;
use crate::registry::{Call, Origin, Registry, Source, SubscriberDescriptor, SubscriberOptions};
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
    pub(crate) origin: Origin,
    pub(crate) payload: &'static str,
    pub(crate) durable: String,
    pub(crate) stream: String,
    /// The patterns with every `${name}` filled in.
    pub(crate) topics: Vec<String>,
    pub(crate) consumer: AssetConfig,
    pub(crate) settings: SubscriberSettings,
    pub(crate) call: fn(Delivery) -> CallFuture,
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
        match subscriber(descriptor, config) {
            Ok(planned) => subscribers.extend(planned),
            Err(fault) => faults.push(format!("{}: {}: {fault}", descriptor.origin.place(), descriptor.origin.name)),
        }
    }
    faults.extend(shared_durables(&subscribers));
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Plan { streams: streams(&config.namespace, &config.stream), subscribers })
}

/// `None` for what this version does not run; the check of the registry reports it.
fn subscriber(descriptor: &'static SubscriberDescriptor, config: &Config) -> Result<Option<SubscriberPlan>, String> {
    let (Source::Topic, Call::Each(call)) = (descriptor.source, descriptor.call) else { return Ok(None) };
    let (namespace, function) = (&config.namespace, descriptor.origin.name);
    let durable = descriptor.options.durable.map_or_else(|| format!("{}-{function}", namespace.app()), str::to_owned);
    natspubsub_grammar::check_name(&durable).map_err(|fault| format!("the durable: {fault}"))?;
    let patterns = patterns(descriptor, config)?;
    let settings = settings(&descriptor.options);
    let filters = patterns.iter().map(|pattern| namespace.subject(&pattern.filter())).collect();
    Ok(Some(SubscriberPlan {
        origin: descriptor.origin,
        payload: (descriptor.payload)(),
        stream: namespace.stream(),
        topics: patterns.iter().map(ToString::to_string).collect(),
        consumer: consumer(&durable, filters, &settings),
        durable,
        settings,
        call,
    }))
}

/// The patterns of a subscriber; the server refuses two that overlap in one consumer (10138).
fn patterns(descriptor: &SubscriberDescriptor, config: &Config) -> Result<Vec<Pattern>, String> {
    let mut patterns: Vec<Pattern> = Vec::new();
    for topic in descriptor.patterns {
        let pattern = bound(&Pattern::topic(topic).map_err(|fault| fault.to_string())?, config)?;
        if let Some((other, example)) = patterns.iter().find_map(|other| Some((other, other.overlaps(&pattern)?))) {
            return Err(format!(
                "it subscribes to {other} and {pattern}, which both match {example:?}; keep the wider one"
            ));
        }
        patterns.push(pattern);
    }
    Ok(patterns)
}

/// The pattern with a value from the configuration for each `${name}`.
fn bound(pattern: &Pattern, config: &Config) -> Result<Pattern, String> {
    let missing: Vec<&str> = pattern.bound().filter(|name| config.binding(name).is_none()).collect();
    if let Some(name) = missing.first() {
        let variable = name.to_ascii_uppercase();
        return Err(format!(
            "\"{pattern}\" needs a value for ${{{name}}}; set NATSPUBSUB_BIND_{variable}, `{name}` under [bind] in natspubsub.toml, or Config::builder().bind(\"{name}\", ..)"
        ));
    }
    Ok(pattern.bind(|name| config.binding(name)))
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
            let (here, there) = (subscriber.origin.place(), other.origin.place());
            let (function, other_function) = (subscriber.origin.name, other.origin.name);
            let durable = &subscriber.durable;
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
