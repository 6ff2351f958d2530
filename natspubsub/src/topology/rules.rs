//! What the server would refuse with a number, and what it would accept to nobody's good. Pure.

use std::time::Duration;

use natspubsub_grammar::{Pattern, format_duration};
use serde_json::Value;

use super::generation::generation;
use super::owner::{filters, subjects};
use super::plan::{Plan, SubscriberPlan};
use super::state::State;
use super::terms::Terms;
use crate::transport::{AssetConfig, config_text};

/// Every rule that the plan breaks.
pub(super) fn faults(plan: &Plan, state: &State) -> Vec<String> {
    let mut faults = replicas(plan, state);
    for stream in super::state::wanted_streams(plan) {
        if state.stream(&stream, plan).is_some_and(|config| config_text(config, "retention") == "workqueue") {
            faults.extend(work_queue(&stream, plan, state));
        }
    }
    for planned in plan.consumers() {
        if state.stream(&planned.stream, plan).is_none() {
            faults.push(format!(
                "{}: {} reads the stream {:?}, which does not exist; start the application that makes it, or declare it with #[stream(..)]",
                planned.origin.place(), planned.origin.name, planned.stream
            ));
        }
    }
    faults
}

/// A server alone keeps one copy (10074).
fn replicas(plan: &Plan, state: &State) -> Vec<String> {
    if state.server.is_clustered != Some(false) {
        return Vec::new();
    }
    let several = plan.streams.iter().filter(|config| copies(config) > 1);
    let fault = |config: &AssetConfig| {
        let (name, count) = (config_text(config, "name"), copies(config));
        let text = format!(
            "stream {name:?} wants {count} replicas, and the server is not part of a cluster; set 1, or connect to a cluster"
        );
        plan.about_stream(config, &text)
    };
    several.map(fault).collect()
}

fn copies(config: &AssetConfig) -> u64 {
    config.get("num_replicas").and_then(Value::as_u64).unwrap_or(1)
}

/// One who reads a work queue: how to name it, and what it reads.
struct Reader<'a> {
    name: String,
    filters: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    fn planned(planned: &'a SubscriberPlan) -> Self {
        let name = format!("{} ({})", planned.origin.name, planned.origin.place());
        Self { name, filters: filters(&planned.consumer) }
    }

    /// A subject that both read.
    fn common(&self, other: &Self) -> Option<String> {
        let whole = |filters: &[&'a str]| if filters.is_empty() { vec![">"] } else { filters.to_vec() };
        let (own, others) = (whole(&self.filters), whole(&other.filters));
        let pattern = |text: &str| Pattern::system(text).ok();
        own.iter().find_map(|own| others.iter().find_map(|other| pattern(own)?.overlaps(&pattern(other)?)))
    }
}

/// Each message of a work queue has one reader: no two filters overlap (10099, 10100), and each reads all (10101).
fn work_queue(stream: &str, plan: &Plan, state: &State) -> Vec<String> {
    let planned: Vec<&SubscriberPlan> = plan.consumers().filter(|planned| planned.stream == stream).collect();
    let mut faults = Vec::new();
    for (index, own) in planned.iter().enumerate() {
        let reader = Reader::planned(own);
        let policy = config_text(&own.consumer, "deliver_policy");
        if policy != "all" {
            faults.push(format!(
                "{}: {} starts at {policy:?}, and stream {stream:?} is a work queue, whose consumers read from the beginning; leave `deliver` out",
                own.origin.place(), own.origin.name
            ));
        }
        let later = planned[index + 1..].iter().map(|other| Reader::planned(other));
        let is_other = |name: &str| planned.iter().all(|planned| planned.durable != name);
        let on_server = state.consumers(stream).iter().filter(|found| {
            is_other(&found.name) && planned.iter().all(|planned| generation(&planned.durable, found).is_none())
        });
        let on_server = on_server.map(|found| Reader {
            name: format!("the consumer {:?} on the server", found.name),
            filters: filters(&found.config),
        });
        for other in later.chain(on_server) {
            if let Some(example) = reader.common(&other) {
                faults.push(format!(
                    "{} and {} would both read {example:?} of stream {stream:?}, which is a work queue: each message has one reader; give them filters that do not overlap, or one durable, or the stream another retention",
                    reader.name, other.name
                ));
            }
        }
    }
    faults
}

/// What can be meant, and is probably a mistake.
pub(super) fn warnings(plan: &Plan, state: &State, terms: &Terms) -> Vec<String> {
    let mut warnings = Vec::new();
    for config in &plan.streams {
        let name = config_text(config, "name");
        let is_read = plan.consumers().any(|planned| planned.stream == name) || !state.consumers(name).is_empty();
        let is_known = state.listed.contains(name) || !state.streams.contains_key(name);
        if config_text(config, "retention") == "interest" && !is_read && is_known {
            warnings.push(format!(
                "stream {name:?} keeps messages by interest and has no consumer: it stores nothing, and publishers are not told"
            ));
        }
        // What the server itself writes is tried once.
        let is_published = subjects(config).any(|subject| !subject.starts_with('$'));
        let window = config.get("duplicate_window").and_then(Value::as_u64).map(Duration::from_nanos);
        if let Some(window) = window.filter(|window| is_published && *window < terms.publish_horizon) {
            let (window, horizon) = (format_duration(window), format_duration(terms.publish_horizon));
            warnings.push(format!(
                "stream {name:?} remembers message ids for {window}, and a publish is tried again for up to {horizon} (publish_attempts, publish_timeout): one that is late can be stored twice; lengthen the duplicate window"
            ));
        }
        if terms.is_production && state.server.is_clustered == Some(true) && copies(config) == 1 {
            warnings.push(format!(
                "stream {name:?} has 1 replica in production: when its server is down, so is the stream; set stream_replicas = 3"
            ));
        }
    }
    warnings
}
