//! Golden plans: files of `golden/`, each with what is declared, what the server has, and what a start makes of it.
//!
//! `UPDATE_GOLDEN=1` writes the last part anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use natspubsub_grammar::{Pattern, parse_duration};
use serde_json::{Value, json};

use super::changes::{Changes, changes};
use super::owner::subjects;
use super::plan::{Plan, SubscriberPlan, plan};
use super::state::{Other, State, missing_subjects, wanted_streams};
use super::terms::Terms;
use super::topology_plan::TopologyPlan;
use crate::config::Config;
use crate::handler::Outcome;
use crate::registry::{Call, Deliver, Origin, Registry, Source, SubscriberDescriptor, SubscriberOptions};
use crate::transport::{AssetConfig, ConsumerState, ServerFacts, config_text};

const CASES_MIN: usize = 25;
const PLAN: &str = "[plan]\n";

/// Everything that a server has.
#[derive(Default)]
struct World {
    streams: Vec<AssetConfig>,
    consumers: Vec<(String, ConsumerState)>,
}

fn object(value: &Value) -> AssetConfig {
    value.as_object().cloned().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn leaked(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

/// `{"function": .., "topic": .., "ack_wait": .., "deliver": .., "line": ..}`
fn descriptor(declared: &Value) -> &'static SubscriberDescriptor {
    let text = |key: &str| declared[key].as_str().map(leaked);
    let options = SubscriberOptions {
        durable: text("durable"),
        ack_wait_ns: text("ack_wait").map(|wait| nanos(parse_duration(wait).unwrap())),
        max_attempts: declared["max_attempts"].as_u64().map(|count| u32::try_from(count).unwrap()),
        dead_letter: declared["dead_letter"].as_bool(),
        deliver: text("deliver").map(|policy| match policy {
            "new" => Deliver::New,
            "last" => Deliver::Last,
            _ => Deliver::All,
        }),
        ..SubscriberOptions::UNWRITTEN
    };
    let line = u32::try_from(declared["line"].as_u64().unwrap_or(7)).unwrap();
    let function = text("function").unwrap_or("on_order");
    let origin = Origin { name: function, module: "orders", crate_name: "orders", file: "src/orders.rs", line };
    let patterns: Vec<&'static str> = text("topic").unwrap_or("order.created").split(' ').collect();
    Box::leak(Box::new(SubscriberDescriptor {
        origin,
        source: if declared["letters"] == true { Source::DeadLetter } else { Source::Topic },
        patterns: patterns.leak(),
        options,
        payload: || "Order",
        requirements: Vec::new,
        transaction: false,
        call: Call::Each(|_| Box::pin(async { Outcome::Ack })),
    }))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap()
}

/// `{"env", "app", "config": {..}, "subscribers": [..], "streams": [..], "consumers": [{"stream", "config", ..}]}`
fn declared(text: &Value) -> (Plan, Terms) {
    let name = |key: &str, default: &'static str| text[key].as_str().unwrap_or(default).to_owned();
    let mut config = Config::builder().url("nats://127.0.0.1:4222").env(name("env", "test")).app(name("app", "orders"));
    for (key, value) in object(&text["config"]) {
        config = config.set(key, value.as_str().unwrap());
    }
    let config = config.build().unwrap();
    let registry =
        Registry { subscribers: list(&text["subscribers"]).iter().map(descriptor).collect(), ..Registry::default() };
    let mut plan = plan(&registry, &config).unwrap();
    plan.streams.extend(list(&text["streams"]).iter().map(object));
    for raw in list(&text["consumers"]) {
        plan.subscribers.push(raw_consumer(raw, &config));
    }
    if text["only"] == true {
        let own: Vec<String> =
            list(&text["streams"]).iter().map(|stream| stream["name"].as_str().unwrap().to_owned()).collect();
        plan.streams.retain(|stream| own.iter().any(|name| config_text(stream, "name") == name));
        plan.sweeper = None;
    }
    (plan, Terms::of(&config))
}

/// A subscriber whose consumer is on another stream, with other fields.
fn raw_consumer(raw: &Value, config: &Config) -> SubscriberPlan {
    let registry = Registry { subscribers: vec![descriptor(raw)], ..Registry::default() };
    let mut planned = plan(&registry, config).unwrap().subscribers.remove(0);
    raw["stream"].as_str().unwrap().clone_into(&mut planned.stream);
    planned.consumer.extend(object(&raw["config"]));
    planned
}

/// `{"before": [declared], "streams": [..], "consumers": [{"stream", "name", "config", "answered", ..}]}`
fn world(text: &Value) -> World {
    let mut world = World::default();
    for before in list(&text["before"]) {
        let (plan, terms) = declared(before);
        for step in changes(&plan, &State::new(facts(&Value::Null)), &terms).steps {
            match step.change.name.split_once('/') {
                None => world.streams.push(step.change.config),
                Some((stream, name)) => {
                    let state = json!({ "stream": stream, "name": name, "config": step.change.config });
                    world.consumers.push(consumer(&state, &AssetConfig::new()));
                }
            }
        }
    }
    for stream in list(&text["streams"]).iter().map(object) {
        let known = world.streams.iter_mut().find(|known| config_text(known, "name") == config_text(&stream, "name"));
        match known {
            Some(known) => known.extend(stream),
            None => world.streams.push(stream),
        }
    }
    for raw in list(&text["consumers"]) {
        let is_same =
            |(stream, known): &(String, ConsumerState)| raw["stream"] == **stream && raw["name"] == *known.name;
        let before = world.consumers.iter().position(is_same).map(|index| world.consumers.remove(index));
        let base = before.map(|(_, known)| known.config).unwrap_or_default();
        world.consumers.push(consumer(raw, &base));
    }
    world
}

fn consumer(raw: &Value, base: &AssetConfig) -> (String, ConsumerState) {
    let number = |key: &str| raw[key].as_u64().unwrap_or(0);
    let mut config = base.clone();
    config.extend(object(&raw["config"]));
    let state = ConsumerState {
        name: raw["name"].as_str().unwrap().to_owned(),
        config,
        answered: number("answered"),
        unanswered: number("unanswered"),
        waiting: number("waiting"),
    };
    (raw["stream"].as_str().unwrap().to_owned(), state)
}

fn facts(server: &Value) -> ServerFacts {
    let version = server["version"].as_str().unwrap_or("2.15").split_once('.').unwrap();
    ServerFacts {
        version: (version.0.parse().unwrap(), version.1.parse().unwrap()),
        is_clustered: Some(server["clustered"].as_bool().unwrap_or(false)),
    }
}

/// As it is read of a real server.
fn state(plan: &Plan, server: &Value) -> State {
    let (world, mut state) = (world(server), State::new(facts(server)));
    state.api_level = server["api_level"].as_u64().map(|level| u32::try_from(level).unwrap());
    let wanted: BTreeSet<String> = wanted_streams(plan);
    for stream in &world.streams {
        let name = config_text(stream, "name").to_owned();
        if wanted.contains(&name) {
            state.listed.insert(name.clone());
            state.streams.insert(name, stream.clone());
        }
    }
    for (stream, consumer) in world.consumers {
        state.consumers.entry(stream).or_default().push(consumer);
    }
    for (planned, subject) in missing_subjects(plan, &state) {
        let pattern = Pattern::system(&subject).unwrap();
        let overlaps = |taken: &str| Pattern::system(taken).unwrap().overlaps(&pattern).is_some();
        for other in world.streams.iter().filter(|other| config_text(other, "name") != planned) {
            if subjects(other).any(overlaps) {
                let (name, subjects) =
                    (config_text(other, "name").to_owned(), subjects(other).map(str::to_owned).collect());
                state.others.push(Other { name, subjects, planned: planned.clone(), subject: subject.clone() });
            }
        }
    }
    state
}

fn told(found: Changes) -> String {
    let mut lines: Vec<String> = found.faults.iter().map(|fault| format!("fault: {fault}")).collect();
    lines.extend(found.refusals().map(|text| format!("refused: {text}")));
    if found.faults.is_empty() {
        lines.insert(0, TopologyPlan::from(found).to_string());
    }
    lines.join("\n") + "\n"
}

fn section<'a>(text: &'a str, name: &str, path: &Path) -> &'a str {
    let head = format!("[{name}]\n");
    let begin = text.find(&head).unwrap_or_else(|| panic!("{} has no {head}", path.display())) + head.len();
    let rest = &text[begin..];
    rest.find("\n[").map_or(rest, |end| &rest[..end])
}

#[test]
fn plans_are_as_pinned() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/topology/golden");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= CASES_MIN, "{} golden plans", files.len());
    let mut differing = Vec::new();
    for path in &files {
        let text = std::fs::read_to_string(path).unwrap();
        let json = |name| {
            let text = section(&text, name, path);
            serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{} [{name}]: {error}", path.display()))
        };
        let (server, (plan, terms)) = (json("server"), declared(&json("declared")));
        let found = told(changes(&plan, &state(&plan, &server), &terms));
        let (inputs, pinned) = text.split_once(PLAN).unwrap_or((&text, ""));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, format!("{inputs}{PLAN}{found}")).unwrap();
        } else if found != pinned {
            differing.push(format!("{}\npinned:\n{pinned}found:\n{found}", path.display()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
