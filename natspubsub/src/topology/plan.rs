//! From declarations and configuration to the wanted streams and consumers. Pure; collects every fault.

use std::collections::HashMap;
use std::time::Duration;

use natspubsub_grammar::Pattern;
use serde_json::{Value, json};

use super::consumer::{consumer, unlimited};
use super::core::{CoreCall, CorePlan, core_plan, shared_queues};
use super::declared::declared;
use super::reading::{Home, Reading, reading};
use super::settings::SubscriberSettings;
use super::sweeper::{advisories, sweeper};
use crate::config::{Config, DurableNames, Storage, StreamSettings};
use crate::handler::{BatchFuture, BatchSettings, CallFuture, Delivery};
use crate::registry::{Call, Origin, OwnLayers, Registry, Source, SubscriberDescriptor};
use crate::subject::Namespace;
use crate::transport::{AssetConfig, config_text};

/// Dead letters are kept long enough for a person to look at them.
const DEAD_LETTER_MAX_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A message that is given back longer ago than this counts its deliveries again.
const RELEASE_MAX_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The wanted state of the server for one application.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) streams: Vec<AssetConfig>,
    /// Where streams are declared, by name.
    pub(crate) declared: Vec<(String, Origin)>,
    pub(crate) subscribers: Vec<SubscriberPlan>,
    /// Those that read every application; each becomes a subscriber for each application that is there.
    pub(crate) everywhere: Vec<SubscriberPlan>,
    /// Those that listen to messages that nobody stores, and those that answer requests.
    pub(crate) core: Vec<CorePlan>,
    /// Reads what the server says about messages that it delivers no more.
    pub(crate) sweeper: Option<SubscriberPlan>,
}

impl Plan {
    /// The subscribers and the sweeper.
    pub(crate) fn consumers(&self) -> impl Iterator<Item = &SubscriberPlan> {
        self.subscribers.iter().chain(&self.sweeper)
    }

    /// Patterns of raw subjects that the application declares: of those it reads, and of streams of its own.
    pub(crate) fn raw_patterns(&self) -> Vec<Pattern> {
        let raw = self.subscribers.iter().filter(|subscriber| subscriber.source == Source::Subject);
        let read = raw.flat_map(|subscriber| subscriber.topics.iter().filter_map(|text| Pattern::subject(text).ok()));
        let heard = self.core.iter().flat_map(|listener| listener.patterns.iter().cloned());
        let streams = self.streams.iter().filter(|stream| self.declaration(stream).is_some());
        let stored = streams.flat_map(|stream| stream.get("subjects").and_then(Value::as_array).into_iter().flatten());
        let stored = stored.filter_map(|subject| Pattern::system(subject.as_str()?).ok());
        read.chain(heard).chain(stored).collect()
    }

    /// Where a stream is declared; those that every application has are not.
    pub(crate) fn declaration(&self, stream: &AssetConfig) -> Option<&Origin> {
        let name = config_text(stream, "name");
        self.declared.iter().find(|(declared, _)| declared == name).map(|(_, origin)| origin)
    }

    /// What is said about a stream, with the place of its declaration if it has one.
    pub(crate) fn about_stream(&self, stream: &AssetConfig, text: &str) -> String {
        match self.declaration(stream) {
            Some(origin) => format!("{}: {}: {text}", origin.place(), origin.name),
            None => text.to_owned(),
        }
    }

    /// The same without consumers.
    pub(super) fn streams_only(&self) -> Self {
        Self { subscribers: Vec::new(), everywhere: Vec::new(), core: Vec::new(), sweeper: None, ..self.clone() }
    }

    /// One consumer on a stream that is there.
    pub(crate) fn of_one(subscriber: SubscriberPlan) -> Self {
        let (streams, declared, everywhere, core) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { streams, declared, subscribers: vec![subscriber], everywhere, core, sweeper: None }
    }

    /// Gives consumers the names that they have on the server: stream, durable, consumer.
    pub(crate) fn name_consumers(&mut self, names: &[(String, String, String)]) {
        for planned in self.subscribers.iter_mut().chain(&mut self.sweeper) {
            let is_own = |(stream, durable, _): &&(String, String, String)| {
                *stream == planned.stream && *durable == planned.durable
            };
            if let Some((_, _, name)) = names.iter().find(is_own) {
                planned.consumer.insert("name".to_owned(), json!(name));
                planned.consumer.insert("durable_name".to_owned(), json!(name));
            }
        }
    }

    /// Gives each ephemeral consumer a name of this process; two processes would share one otherwise.
    pub(crate) fn name_ephemerals(&mut self, random: u64) {
        let all = self.subscribers.iter_mut().chain(&mut self.everywhere);
        let ephemerals = all.filter(|subscriber| subscriber.settings.ephemeral);
        for (index, subscriber) in ephemerals.enumerate() {
            subscriber.durable = format!("{}-{random:016x}-{index}", subscriber.durable);
            subscriber.consumer.insert("name".to_owned(), json!(subscriber.durable));
        }
    }
}

/// One subscriber with every name and value decided.
#[derive(Debug, Clone)]
pub(crate) struct SubscriberPlan {
    pub(crate) origin: Origin,
    pub(crate) payload: &'static str,
    /// Who the subscriber is, in dead letters and logs.
    pub(crate) durable: String,
    /// Empty as long as it is not known.
    pub(crate) stream: String,
    pub(crate) home: Home,
    /// Whether the stream keeps a message that is answered.
    pub(crate) retained: bool,
    /// What a subject has before its topic.
    pub(crate) prefix: String,
    /// The patterns with every `${name}` filled in.
    pub(crate) topics: Vec<String>,
    pub(crate) consumer: AssetConfig,
    pub(crate) settings: SubscriberSettings,
    pub(crate) source: Source,
    /// The topic that the returned value is published under.
    pub(crate) publishes: Option<&'static str>,
    /// Inside the middleware of all.
    pub(crate) layers: OwnLayers,
    pub(crate) call: PlannedCall,
}

impl SubscriberPlan {
    /// The subjects that its consumer reads.
    pub(crate) fn filters(&self) -> Vec<String> {
        let many = self.consumer.get("filter_subjects").and_then(Value::as_array).into_iter().flatten();
        let filters = many.chain(self.consumer.get("filter_subject")).filter_map(Value::as_str);
        filters.map(str::to_owned).collect()
    }

    /// Whether it reads another stream than the application has anyway.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.source == Source::Subject || matches!(self.home, Home::Named { .. } | Home::Found)
    }

    /// What its deliveries are recorded under: consumers of two streams may have one name.
    pub(crate) fn record_name(&self, namespace: &Namespace) -> String {
        let (consumer, stream) = (self.consumer_name(), &self.stream);
        if *stream == namespace.stream() { consumer.to_owned() } else { format!("{consumer}.{stream}") }
    }

    /// The name that the consumer has on the server: that of the durable, until another one replaces it.
    pub(crate) fn consumer_name(&self) -> &str {
        config_text(&self.consumer, "name")
    }
}

/// What a subscriber that runs is called with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PlannedCall {
    Each(fn(Delivery) -> CallFuture),
    Batch(fn(Vec<Delivery>) -> BatchFuture, BatchSettings),
    /// With no handler: it stores dead letters.
    Sweep,
}

/// The wanted state, or every fault.
pub(crate) fn plan(registry: &Registry, config: &Config) -> Result<Plan, Vec<String>> {
    let (mut faults, mut subscribers, mut core) = (Vec::new(), Vec::new(), Vec::new());
    let declared = declared(registry, config, &mut faults);
    let places = declared.iter().map(|(stream, origin)| (config_text(stream, "name").to_owned(), *origin)).collect();
    let mut streams = streams(&config.namespace, &config.stream);
    streams.extend(declared.into_iter().map(|(stream, _)| stream));
    for descriptor in &registry.subscribers {
        let planned = match CoreCall::of(descriptor) {
            Some(call) => core_plan(descriptor, call, config).map(|planned| core.push(planned)),
            None => subscriber(descriptor, config, &streams).map(|planned| subscribers.extend(planned)),
        };
        match planned {
            Ok(()) => {}
            Err(found) => {
                let (place, name) = (descriptor.origin.place(), descriptor.origin.name);
                faults.extend(found.iter().map(|fault| format!("{place}: {name}: {fault}")));
            }
        }
    }
    faults.extend(shared_durables(&subscribers));
    faults.extend(shared_queues(&core));
    let (everywhere, subscribers): (Vec<_>, Vec<_>) =
        subscribers.into_iter().partition(|subscriber| subscriber.home == Home::Everywhere);
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut reader = None;
    if !subscribers.is_empty() || !everywhere.is_empty() {
        streams.push(releases(&config.namespace, &config.stream));
        streams.push(advisories(&config.namespace, &config.stream));
        reader = Some(sweeper(&config.namespace));
    }
    Ok(Plan { streams, declared: places, subscribers, everywhere, core, sweeper: reader })
}

/// `None` for what this version does not run; the check of the registry reports it.
fn subscriber(
    descriptor: &'static SubscriberDescriptor,
    config: &Config,
    streams: &[AssetConfig],
) -> Result<Option<SubscriberPlan>, Vec<String>> {
    let namespace = &config.namespace;
    let settings = SubscriberSettings::of(descriptor, &config.subscriber);
    let call = match (descriptor.source, descriptor.call, settings.batch) {
        (Source::Topic | Source::Subject | Source::DeadLetter, Call::Each(call), _) => PlannedCall::Each(call),
        (Source::Topic, Call::Batch(call), Some(batch)) => PlannedCall::Batch(call, batch),
        _ => return Ok(None),
    };
    let mut faults = Vec::new();
    let patterns = patterns(descriptor, config, &mut faults);
    let durable = match descriptor.options.durable {
        Some(durable) => durable.to_owned(),
        None => durable(config, descriptor.origin.name, &patterns),
    };
    if let Err(fault) = natspubsub_grammar::check_name(&durable) {
        faults.push(format!("the durable: {fault}; write durable = \"..\" to choose another"));
    }
    let reading = match reading(descriptor, &patterns, config, streams) {
        Ok(reading) if faults.is_empty() => reading,
        Ok(_) => return Err(faults),
        // Without its patterns a subscriber reads nothing.
        Err(_) if !faults.is_empty() => return Err(faults),
        Err(fault) => return Err(vec![fault]),
    };
    let Reading { stream, home, filters, prefix } = reading;
    let deliver = descriptor.options.deliver;
    let consumer = match stream == namespace.stream() || home == Home::Everywhere {
        true => consumer(&durable, filters, &settings, deliver),
        false => unlimited(consumer(&durable, filters, &settings, deliver)),
    };
    Ok(Some(SubscriberPlan {
        origin: descriptor.origin,
        payload: (descriptor.payload)(),
        retained: streams.iter().any(|config| config_text(config, "name") == stream && retains(config)),
        stream,
        home,
        prefix,
        topics: patterns.iter().map(ToString::to_string).collect(),
        consumer,
        durable,
        settings,
        source: descriptor.source,
        publishes: descriptor.options.publishes,
        layers: OwnLayers::made(descriptor.options.middleware),
        call,
    }))
}

/// The name of a durable that has none.
fn durable(config: &Config, function: &str, patterns: &[Pattern]) -> String {
    let app = config.namespace.app();
    match config.durable_names {
        DurableNames::AppFunction => format!("{app}-{function}"),
        DurableNames::SubjectService => {
            let mut subjects: Vec<String> = patterns.iter().map(natspubsub_grammar::encode_pattern).collect();
            // Literals in another order read the same, and another durable would deliver everything again.
            subjects.sort();
            format!("{}_{app}", subjects.join("_OR_"))
        }
    }
}

/// The patterns of a subscriber; the server refuses two that overlap in one consumer (10138).
pub(super) fn patterns(descriptor: &SubscriberDescriptor, config: &Config, faults: &mut Vec<String>) -> Vec<Pattern> {
    let mut patterns: Vec<Pattern> = Vec::new();
    for topic in descriptor.patterns {
        let read = match descriptor.source {
            Source::Topic | Source::DeadLetter => Pattern::topic(topic),
            Source::Subject | Source::Request => Pattern::subject(topic),
        };
        let pattern = match read {
            Ok(pattern) => bound(&pattern, config, faults),
            Err(fault) => {
                faults.push(fault.to_string());
                continue;
            }
        };
        if let Some((other, example)) = patterns.iter().find_map(|other| Some((other, other.overlaps(&pattern)?))) {
            faults.push(format!(
                "it subscribes to {other} and {pattern}, which both match {example:?}; keep the wider one"
            ));
        }
        patterns.push(pattern);
    }
    patterns
}

/// The pattern with a value from the configuration for each `${name}`.
fn bound(pattern: &Pattern, config: &Config, faults: &mut Vec<String>) -> Pattern {
    for name in pattern.bound().filter(|name| config.binding(name).is_none()) {
        let variable = name.to_ascii_uppercase();
        faults.push(format!(
            "\"{pattern}\" needs a value for ${{{name}}}; set NATSPUBSUB_BIND_{variable}, `{name}` under [bind] in natspubsub.toml, or Config::builder().bind(\"{name}\", ..)"
        ));
    }
    pattern.bind(|name| config.binding(name))
}

/// Two subscribers on one durable would each get half of the messages.
pub(super) fn shared_durables(subscribers: &[SubscriberPlan]) -> Vec<String> {
    let mut first: HashMap<(&str, &str), &SubscriberPlan> = HashMap::new();
    let mut faults = Vec::new();
    // An ephemeral consumer has a name of its own in each process.
    for subscriber in subscribers.iter().filter(|subscriber| !subscriber.settings.ephemeral) {
        if let Some(other) = first.insert((&subscriber.stream, &subscriber.durable), subscriber) {
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

/// Whether a stream keeps what is answered; the others delete it, and a reference to it leads nowhere.
pub(super) fn retains(stream: &AssetConfig) -> bool {
    config_text(stream, "retention") == "limits"
}

/// The stream of the application and the stream of its dead letters.
fn streams(namespace: &Namespace, settings: &StreamSettings) -> Vec<AssetConfig> {
    vec![
        stream(namespace.stream(), namespace.subjects(), settings.max_age, settings),
        stream(namespace.dead_letter_stream(), namespace.dead_letter_subjects(), DEAD_LETTER_MAX_AGE, settings),
    ]
}

/// The bucket of releases as a key-value store makes it: the last value of each key, no deletes, rollups allowed.
fn releases(namespace: &Namespace, settings: &StreamSettings) -> AssetConfig {
    let mut bucket = stream(namespace.release_stream(), namespace.release_subjects(), RELEASE_MAX_AGE, settings);
    for (field, value) in [
        ("discard", json!("new")),
        ("max_msgs_per_subject", json!(1)),
        ("allow_rollup_hdrs", json!(true)),
        ("deny_delete", json!(true)),
        ("allow_direct", json!(true)),
    ] {
        bucket.insert(field.to_owned(), value);
    }
    bucket
}

pub(super) fn stream(name: String, subjects: String, max_age: Duration, settings: &StreamSettings) -> AssetConfig {
    object(json!({
        "name": name,
        "subjects": [subjects],
        "retention": "limits",
        "storage": match settings.storage { Storage::File => "file", Storage::Memory => "memory" },
        "discard": "old",
        "max_age": nanos(max_age),
        "num_replicas": settings.replicas,
        "duplicate_window": nanos(settings.duplicate_window),
    }))
}

pub(super) fn object(value: Value) -> AssetConfig {
    match value {
        Value::Object(map) => map,
        _ => AssetConfig::new(),
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
