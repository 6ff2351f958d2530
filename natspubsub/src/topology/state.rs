//! What was read from the server about a plan, and what has to be read. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::generation::REPLACED_BY;
use super::immutable::Version;
use super::owner::{mark, subjects};
use super::plan::Plan;
use crate::transport::{AssetConfig, ConsumerState, ServerFacts, config_text};

/// What was read from the server about a plan.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(super) server: ServerFacts,
    /// The level of the JetStream API; read only when something declared needs one.
    pub(super) api_level: Option<u32>,
    /// The streams that are planned, and those that planned consumers read, as far as they exist.
    pub(super) streams: BTreeMap<String, AssetConfig>,
    /// By stream: the consumers of the planned names, or every one of a stream in `listed`.
    pub(super) consumers: BTreeMap<String, Vec<ConsumerState>>,
    /// The streams whose consumers are all known.
    pub(super) listed: BTreeSet<String>,
    /// Streams that take a subject that a planned stream does not take yet.
    pub(super) others: Vec<Other>,
}

/// A stream in the way of a planned one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Other {
    pub(super) name: String,
    /// Its subjects; none where they may not be read.
    pub(super) subjects: Vec<String>,
    /// The planned stream and its subject.
    pub(super) planned: String,
    pub(super) subject: String,
}

impl State {
    pub(super) fn new(server: ServerFacts) -> Self {
        Self {
            server,
            api_level: None,
            streams: BTreeMap::new(),
            consumers: BTreeMap::new(),
            listed: BTreeSet::new(),
            others: Vec::new(),
        }
    }

    pub(super) fn version(&self) -> Version {
        self.server.version
    }

    /// The consumers of a stream, as far as they are known.
    pub(super) fn consumers(&self, stream: &str) -> &[ConsumerState] {
        self.consumers.get(stream).map_or(&[], Vec::as_slice)
    }

    /// The configuration that a stream has, or will have.
    pub(super) fn stream<'a>(&'a self, name: &str, plan: &'a Plan) -> Option<&'a AssetConfig> {
        let planned = plan.streams.iter().find(|config| config_text(config, "name") == name);
        planned.or_else(|| self.streams.get(name))
    }
}

/// The names of the streams that have to be read.
pub(super) fn wanted_streams(plan: &Plan) -> BTreeSet<String> {
    let planned = plan.streams.iter().map(|config| config_text(config, "name").to_owned());
    planned.chain(plan.consumers().map(|consumer| consumer.stream.clone())).collect()
}

/// The subjects that planned streams do not take yet: stream and subject.
pub(super) fn missing_subjects(plan: &Plan, state: &State) -> Vec<(String, String)> {
    let mut missing = Vec::new();
    for planned in &plan.streams {
        let name = config_text(planned, "name");
        let taken: Vec<&str> = state.streams.get(name).into_iter().flat_map(subjects).collect();
        let new = subjects(planned).filter(|subject| !taken.contains(subject));
        missing.extend(new.map(|subject| (name.to_owned(), subject.to_owned())));
    }
    missing
}

/// A stream all of whose consumers have to be known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) stream: String,
    /// Whether a consumer cannot be decided about without; for a warning nothing is refused.
    pub(super) is_needed: bool,
}

/// The streams whose consumers have to be listed: one that is planned does not exist under its first name, was
/// replaced or cannot be changed in place; or the retention makes them depend on each other.
pub(super) fn listings(plan: &Plan, state: &State, is_stuck: impl Fn(&str, &ConsumerState) -> bool) -> Vec<Listing> {
    let mut listings = Vec::new();
    for stream in state.streams.keys() {
        let planned = plan.consumers().filter(|consumer| consumer.stream == *stream && !consumer.settings.ephemeral);
        let is_open = planned.into_iter().any(|consumer| {
            let found = state.consumers(stream).iter().find(|found| found.name == consumer.durable);
            found.is_none_or(|found| mark(&found.config, REPLACED_BY).is_some() || is_stuck(stream, found))
        });
        let retention = state.stream(stream, plan).map_or("", |config| config_text(config, "retention"));
        let has_consumers = plan.consumers().any(|consumer| consumer.stream == *stream);
        let is_needed = is_open || retention == "workqueue" && has_consumers;
        if is_needed || retention == "interest" && !has_consumers {
            listings.push(Listing { stream: stream.clone(), is_needed });
        }
    }
    listings
}
