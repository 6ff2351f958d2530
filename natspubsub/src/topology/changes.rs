//! From a plan and what the server has to every change, every fault and every warning. Pure.

use serde_json::{Value, json};

use super::change::{AssetKind, Change, ChangeKind, FieldChange};
use super::diff::{diff, merged};
use super::generation::{DURABLE, newest, next_name, replaced};
use super::owner::{marked, owned, owner};
use super::plan::{Plan, SubscriberPlan};
use super::resume::{comparable, resumed, succeeding};
use super::state::State;
use super::terms::Terms;
use super::{features, overlap, print, rules};
use crate::transport::{AssetConfig, ConsumerState, config_text};

/// Everything that differs between a plan and the server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes {
    pub(super) steps: Vec<Step>,
    /// What cannot be planned at all.
    pub(super) faults: Vec<String>,
    pub(super) warnings: Vec<String>,
    /// Consumers of the server whose name is not that of their durable: stream, durable, consumer.
    pub(super) names: Vec<(String, String, String)>,
}

/// One change and what is written for it.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) change: Change,
    /// The stream that it is about.
    pub(super) stream: String,
    /// Where it is declared; empty of a stream that every application has.
    pub(super) place: String,
    pub(super) write: Write,
}

/// What is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Write {
    Create,
    Update,
    /// A new consumer, whose deliveries begin after what the old one has acknowledged.
    Replace(Box<Replacement>),
    /// Nothing: the start ends with this text.
    Refuse(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Replacement {
    pub(super) old: ConsumerState,
    /// On a work queue two consumers cannot stand side by side; what is not acknowledged is still in the stream.
    pub(super) deletes_first: bool,
}

/// Everything that differs between a plan and the server.
pub(crate) fn changes(plan: &Plan, state: &State, terms: &Terms) -> Changes {
    let mut faults = overlap::overlaps(plan, state, terms);
    faults.extend(rules::faults(plan, state));
    faults.extend(features::unknown(plan, state));
    let mut changes = Changes { faults, warnings: rules::warnings(plan, state, terms), ..Changes::default() };
    for wanted in &plan.streams {
        let place = plan.declaration(wanted).map(|origin| format!("{}: {}", origin.place(), origin.name));
        changes.steps.extend(stream(wanted, place.unwrap_or_default(), state, terms));
    }
    // An ephemeral consumer is a part of its process, and is made at each start.
    for planned in plan.consumers().filter(|planned| !planned.settings.ephemeral) {
        changes.consumer(planned, state, terms);
    }
    changes
}

/// Whether a consumer differs in a way that the server does not change in place.
pub(super) fn is_stuck(plan: &Plan, state: &State, stream: &str, found: &ConsumerState) -> bool {
    let planned = plan.consumers().find(|planned| planned.stream == stream && planned.durable == found.name);
    planned.is_some_and(|planned| differs(planned, found, state).iter().any(|change| !change.in_place))
}

fn differs(planned: &SubscriberPlan, found: &ConsumerState, state: &State) -> Vec<FieldChange> {
    let wanted = named(&planned.consumer, &found.name);
    diff(AssetKind::Consumer, &found.config, &comparable(&found.config, &wanted), state.version())
}

/// The configuration under the name that the consumer has on the server.
fn named(wanted: &AssetConfig, name: &str) -> AssetConfig {
    let mut wanted = wanted.clone();
    for field in ["name", "durable_name"] {
        if wanted.get(field).is_some_and(Value::is_string) {
            wanted.insert(field.to_owned(), json!(name));
        }
    }
    wanted
}

fn stream(wanted: &AssetConfig, place: String, state: &State, terms: &Terms) -> Option<Step> {
    let name = config_text(wanted, "name").to_owned();
    let step = |kind, fields, config, write| {
        let change = Change { asset: AssetKind::Stream, name: name.clone(), kind, fields, config };
        Some(Step { change, stream: name.clone(), place: place.clone(), write })
    };
    let Some(existing) = state.streams.get(&name) else {
        return step(ChangeKind::Create, Vec::new(), owned(wanted, &terms.app), Write::Create);
    };
    let fields = diff(AssetKind::Stream, existing, wanted, state.version());
    if fields.is_empty() {
        return None;
    }
    let what = format!("stream {name:?}");
    let config = owned(&merged(existing, wanted), &terms.app);
    if let Some((kind, text)) = foreign(&what, existing, &fields, terms) {
        return step(kind, fields, config, Write::Refuse(text));
    }
    if fields.iter().all(|field| field.in_place) {
        return step(ChangeKind::Update, fields, config, Write::Update);
    }
    let text = format!(
        "{what} needs migration: {}; the server does not change this in place: declare what it has, or move its messages to a stream of another name",
        print::list(&fields)
    );
    step(ChangeKind::Migrate { to: None }, fields, config, Write::Refuse(text))
}

/// Of something that differs and is not ours: its kind, and what the operator is told.
fn foreign(what: &str, existing: &AssetConfig, fields: &[FieldChange], terms: &Terms) -> Option<(ChangeKind, String)> {
    let list = print::list(fields);
    match owner(existing) {
        Some(app) if app == terms.app => None,
        Some(app) => {
            let text = format!(
                "{what} belongs to another application, {app:?}, and differs: {list}; declare what it has, or set another env or app"
            );
            Some((ChangeKind::Foreign { owner: Some(app.to_owned()) }, text))
        }
        None if terms.adopt => None,
        None => {
            let text = format!(
                "{what} exists, nobody says that it is this application's, and it differs: {list}; declare what it has, or take it over with adopt = true (NATSPUBSUB_ADOPT=true), or, if it belongs to another application, set another env or app"
            );
            Some((ChangeKind::Foreign { owner: None }, text))
        }
    }
}

impl Step {
    /// A text with the place of the declaration.
    pub(super) fn told(&self, text: &str) -> String {
        if self.place.is_empty() { text.to_owned() } else { format!("{}: {text}", self.place) }
    }
}

impl Changes {
    /// Whether nothing would be written.
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Why nothing can be written.
    pub(super) fn refusals(&self) -> impl Iterator<Item = String> {
        self.steps.iter().filter_map(|step| match &step.write {
            Write::Refuse(text) => Some(step.told(text)),
            _ => None,
        })
    }

    fn consumer(&mut self, planned: &SubscriberPlan, state: &State, terms: &Terms) {
        let (stream, durable) = (&planned.stream, &planned.durable);
        let all = state.consumers(stream);
        let found = newest(durable, all);
        if let Some(found) = found.filter(|found| found.name != *durable) {
            self.names.push((stream.clone(), durable.clone(), found.name.clone()));
        }
        for old in replaced(durable, all) {
            let by = found.map_or(durable.as_str(), |found| found.name.as_str());
            self.warnings.push(format!(
                "consumer {:?} of stream {stream:?} was replaced by {by:?}; it is deleted once nobody pulls from it and nothing waits for an answer",
                old.name
            ));
        }
        self.steps.extend(consumer(planned, found, state, terms));
    }
}

fn consumer(planned: &SubscriberPlan, found: Option<&ConsumerState>, state: &State, terms: &Terms) -> Option<Step> {
    let (stream, durable) = (&planned.stream, &planned.durable);
    let step = |name: &str, kind, fields, config, write| {
        let change = Change { asset: AssetKind::Consumer, name: format!("{stream}/{name}"), kind, fields, config };
        Some(Step { change, stream: stream.clone(), place: planned.origin.place(), write })
    };
    let Some(found) = found else {
        let config = owned(&planned.consumer, &terms.app);
        return step(durable, ChangeKind::Create, Vec::new(), config, Write::Create);
    };
    let fields = differs(planned, found, state);
    if fields.is_empty() {
        return None;
    }
    let (name, what) = (&found.name, format!("consumer {:?} of stream {stream:?}", found.name));
    let wanted = comparable(&found.config, &named(&planned.consumer, name));
    let config = owned(&merged(&found.config, &wanted), &terms.app);
    if let Some((kind, text)) = foreign(&what, &found.config, &fields, terms) {
        return step(name, kind, fields, config, Write::Refuse(text));
    }
    if fields.iter().all(|field| field.in_place) {
        return step(name, ChangeKind::Update, fields, config, Write::Update);
    }
    if !terms.migrate {
        let text = format!(
            "{what} needs migration: {}; the server does not change this in place: with migrate = true (NATSPUBSUB_MIGRATE=true) a new consumer takes its place, which starts after what this one has acknowledged",
            print::list(&fields)
        );
        return step(name, ChangeKind::Migrate { to: None }, fields, config, Write::Refuse(text));
    }
    let to = next_name(durable, state.consumers(stream));
    let is_queue = state.streams.get(stream).is_some_and(|config| config_text(config, "retention") == "workqueue");
    let successor = succeeding(&found.config, &named(&planned.consumer, &to));
    let successor = if is_queue { successor } else { resumed(&successor, found.answered) };
    let config = marked(owned(&successor, &terms.app), &[(DURABLE, durable)]);
    let replacement = Replacement { old: found.clone(), deletes_first: is_queue };
    step(name, ChangeKind::Migrate { to: Some(to) }, fields, config, Write::Replace(Box::new(replacement)))
}
