//! The room of each subscriber: what is in hand and what is asked for never exceed its capacity together.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::app::{Consumer, REQUEST_LASTS};
use crate::checker::{Kind, Violation};
use crate::trace::{Event, Place};

/// A pull request that may still bring messages.
struct Open {
    until: Duration,
    left: u64,
}

/// One subscriber in one life of the application.
#[derive(Default)]
struct Room<'a> {
    running: usize,
    in_hand: BTreeSet<&'a Place>,
    open: Vec<Open>,
    /// Whether the consumer was deleted. The trace does not say when it is found out, and what was asked for is void.
    is_deleted: bool,
}

impl<'a> Room<'a> {
    fn total(&self) -> u64 {
        self.in_hand.len() as u64 + self.open.iter().map(|open| open.left).sum::<u64>()
    }

    fn ask(&mut self, batch: u64, at: Duration, capacity: u64) {
        self.open.retain(|open| open.until > at);
        if self.is_deleted && self.total() + batch > capacity {
            self.open.clear();
            self.is_deleted = false;
        }
        self.open.push(Open { until: at + REQUEST_LASTS, left: batch });
    }

    fn deliver(&mut self, place: &'a Place) {
        // The trace does not say which request brought it: if the newest did, the least stays open.
        if let Some(open) = self.open.iter_mut().rfind(|open| open.left > 0) {
            open.left -= 1;
        }
        self.in_hand.insert(place);
    }

    /// What the subscriber has is lost to it.
    fn clear(&mut self) {
        self.in_hand.clear();
        self.open.clear();
    }
}

/// Where more was asked for, was in hand or ran than there is room for.
pub(crate) fn check(consumer: &Consumer, events: &[Event]) -> Vec<Violation> {
    let (mut room, mut found) = (Room::default(), Vec::new());
    let mut note = |line: usize, what: String| {
        let what = format!("{}: {what} in line {}", consumer.durable, line + 1);
        found.push(Violation { kind: Kind::TooMany, what });
    };
    for (line, event) in events.iter().enumerate() {
        match event {
            Event::Crash | Event::Exit => {
                room.clear();
                room.is_deleted = false;
            }
            Event::FaultOf(of, name) if of == consumer.durable => {
                room.clear();
                room.is_deleted |= name == "delete-consumer";
            }
            Event::Request { consumer: of, batch, at } if of == consumer.durable => {
                room.ask(*batch, *at, consumer.capacity);
                if room.total() > consumer.capacity {
                    note(line, format!("{} are in hand, and asked for together", room.total()));
                }
            }
            // Whoever let go of it goes on without.
            Event::Store { subject, id, .. } | Event::Unstored { subject, id } => {
                room.in_hand.retain(|place| !is_letter(id, place) && !is_let_go(subject, place));
            }
            event => {
                let Some(place) = event.place().filter(|place| place.consumer == consumer.durable) else { continue };
                match event {
                    Event::Deliver(_) => room.deliver(place),
                    Event::Run(_) => {
                        room.in_hand.insert(place);
                        room.running += 1;
                    }
                    Event::End(..) => {
                        room.running = room.running.saturating_sub(1);
                        room.in_hand.remove(place);
                    }
                    Event::Answer { .. } => drop(room.in_hand.remove(place)),
                    // One that was let go of without an answer has met such a fault.
                    Event::FaultAt(_, name) if name != "reorder" => drop(room.in_hand.remove(place)),
                    _ => {}
                }
                if room.in_hand.len() as u64 > consumer.capacity {
                    note(line, format!("{} are in hand", room.in_hand.len()));
                }
                if room.running > consumer.concurrency {
                    note(line, format!("{} handlers run", room.running));
                }
            }
        }
    }
    found
}

/// Whether it is the dead letter of a message, which need not have run.
fn is_letter(id: &str, place: &Place) -> bool {
    id.starts_with("dlq:") && id.ends_with(&format!(":{}:{}", place.sequence, place.consumer))
}

/// Whether it is the record of a delivery that is let go of, or given back, before it ran.
fn is_let_go(subject: &str, Place { consumer, sequence, delivery }: &Place) -> bool {
    subject.ends_with(&format!("-releases.{consumer}.{sequence}.{delivery}"))
}
