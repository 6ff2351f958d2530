//! Messages that are published later.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::log::Ttl;
use crate::message::Headers;
use crate::message::headers::{MESSAGE_ID, TTL};
use crate::transport::port::Outbound;

/// When a message is published, where, and how long it stays there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schedule {
    pub(super) due: Duration,
    pub(super) target: String,
    /// As it is, and as it was written.
    pub(super) ttl: Option<(Ttl, String)>,
}

/// The schedules of a stream by the number of the message that waits.
#[derive(Default)]
pub(super) struct Schedules {
    waiting: BTreeMap<u64, Schedule>,
    due: BTreeSet<(Duration, u64)>,
}

impl Schedules {
    pub(super) fn insert(&mut self, sequence: u64, schedule: Schedule) {
        self.due.insert((schedule.due, sequence));
        self.waiting.insert(sequence, schedule);
    }

    pub(super) fn remove(&mut self, sequence: u64) -> Option<Schedule> {
        let schedule = self.waiting.remove(&sequence)?;
        self.due.remove(&(schedule.due, sequence));
        Some(schedule)
    }

    pub(super) fn next(&self) -> Option<(Duration, u64)> {
        self.due.first().copied()
    }

    #[cfg(any(test, feature = "testing"))]
    pub(super) fn count(&self) -> usize {
        self.waiting.len()
    }
}

impl Schedule {
    /// The message that is published in place of the one that waited.
    pub(super) fn message(self, waited: &Outbound) -> Outbound {
        let is_kept = |name: &str| name != MESSAGE_ID && name != TTL && !name.starts_with("Nats-Schedule");
        let own = waited.headers.iter().filter(|(name, _)| is_kept(name));
        let mut headers: Headers = own.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        headers.push("Nats-Scheduler", waited.subject.clone());
        headers.push("Nats-Schedule-Next", "purge");
        if let Some((_, ttl)) = self.ttl {
            headers.push(TTL, ttl);
        }
        Outbound { subject: self.target, headers, body: waited.body.clone() }
    }
}
