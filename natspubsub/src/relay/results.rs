//! What became of messages, until it is written down.

use std::time::Duration;

use crate::store::{MessageEnd, SettledMessage};

/// What became of messages, and the keys that wait until it is written down.
#[derive(Debug, Default)]
pub(super) struct Results {
    settled: Vec<SettledMessage>,
    /// Of each message that goes back.
    keys: Vec<String>,
    since: Option<Duration>,
}

impl Results {
    pub(super) fn add(&mut self, settled: SettledMessage, key: Option<String>, now: Duration) {
        if matches!(settled.end, MessageEnd::Retry { .. }) {
            self.keys.extend(key);
        }
        self.settled.push(settled);
        self.since.get_or_insert(now);
    }

    /// Puts before these what could not be written down.
    pub(super) fn put_back(&mut self, mut earlier: Self) {
        earlier.settled.append(&mut self.settled);
        earlier.keys.append(&mut self.keys);
        *self = earlier;
    }

    pub(super) fn settled(&self) -> &[SettledMessage] {
        &self.settled
    }

    /// How soon the first of them may be claimed again.
    pub(super) fn soonest(&self) -> Option<Duration> {
        let retries = self.settled.iter().filter_map(|settled| match settled.end {
            MessageEnd::Retry { after, .. } => Some(after),
            MessageEnd::Sent | MessageEnd::Failed { .. } => None,
        });
        retries.min()
    }

    pub(super) fn keys(&self) -> &[String] {
        &self.keys
    }

    pub(super) fn len(&self) -> usize {
        self.settled.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.settled.is_empty()
    }

    /// Since when the oldest waits.
    pub(super) fn since(&self) -> Option<Duration> {
        self.since
    }
}
