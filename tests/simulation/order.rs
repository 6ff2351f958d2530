//! The order of each key: its messages run one after the other, as they were delivered.

use std::collections::BTreeMap;

use crate::app::Consumer;
use crate::checker::{Kind, Violation};
use crate::history::History;
use crate::trace::{Event, Place};

/// One key in one life of the application.
#[derive(Default)]
struct Lane<'a> {
    /// What was delivered, in this order, and how much of it has run or was passed over.
    delivered: Vec<&'a Place>,
    passed: usize,
    running: Option<&'a Place>,
    last: Option<&'a Place>,
}

impl<'a> Lane<'a> {
    /// What a run that begins now violates.
    fn begin(&mut self, place: &'a Place) -> Option<String> {
        if let Some(beside) = self.running.replace(place) {
            return Some(format!("{} runs beside {}", place.sequence, beside.sequence));
        }
        // Tried again in its place.
        if self.last == Some(place) {
            return None;
        }
        self.last = Some(place);
        let next = self.delivered.iter().skip(self.passed).position(|delivered| *delivered == place);
        match next {
            Some(next) => self.passed += next + 1,
            None => return Some(format!("{} runs behind one that was delivered later", place.sequence)),
        }
        None
    }
}

/// What a subscriber with keys violates. `keys` is the key of each message. With one handler all messages are one lane,
/// and keep the order of the stream, whatever happens, until each is acknowledged.
pub(crate) fn check(
    consumer: &Consumer,
    keys: &BTreeMap<u64, u64>,
    history: &History,
    events: &[Event],
) -> Vec<Violation> {
    let is_strict = consumer.concurrency == 1;
    let key = |place: &Place| if is_strict { Some(0) } else { keys.get(&place.sequence).copied() };
    let (mut lanes, mut highest) = (BTreeMap::<u64, Lane<'_>>::new(), BTreeMap::<u64, u64>::new());
    // What runs in the moment of a crash is still of the life that ends.
    let (mut found, mut is_over) = (Vec::new(), false);
    for (line, event) in events.iter().enumerate() {
        match event {
            Event::FaultOf(of, name) if of == consumer.durable && name == "delete-consumer" => highest.clear(),
            Event::Crash | Event::Exit => is_over = true,
            Event::Deliver(_) if is_over => {
                lanes.clear();
                is_over = false;
            }
            _ => {}
        }
        match event {
            Event::Deliver(place) if place.consumer == consumer.durable => {
                if let Some(key) = key(place) {
                    lanes.entry(key).or_default().delivered.push(place);
                }
            }
            Event::Run(place) if place.consumer == consumer.durable => {
                let Some(key) = key(place) else { continue };
                found.extend(lanes.entry(key).or_default().begin(place));
                let highest = highest.entry(key).or_default();
                let is_judged = match is_strict {
                    true => !history.is_acknowledged(consumer.durable, place.sequence, line),
                    false => history.comes_late(consumer.durable, place.sequence, line),
                };
                if place.sequence < *highest && is_judged {
                    found.push(format!("{} runs behind {highest}", place.sequence));
                }
                *highest = place.sequence.max(*highest);
            }
            Event::End(place, _) if place.consumer == consumer.durable => {
                if let Some(lane) = key(place).and_then(|key| lanes.get_mut(&key)) {
                    lane.running = None;
                }
            }
            _ => {}
        }
    }
    let what = |what| Violation { kind: Kind::Inversion, what: format!("{}: {what}", consumer.durable) };
    found.into_iter().map(what).collect()
}
