//! Gauges about the process: its connection, its subscribers, its outbox.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::metrics::{Counter, Gauge};

use super::handles::{counter, gauge};
use super::table;

/// What the relays of a process know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct OutboxNumbers {
    pub(crate) pending: u64,
    pub(crate) failed: u64,
    pub(crate) oldest: Option<Duration>,
    /// Since their start, as the next two.
    pub(crate) published: u64,
    pub(crate) retried: u64,
    pub(crate) shards: u16,
}

/// The gauges of one process.
#[derive(Debug)]
pub(crate) struct ProcessMetrics {
    connected: Gauge,
    down: Gauge,
    reconnects: Counter,
    pulling: Gauge,
    listening: Gauge,
    outbox: Outbox,
    before: Mutex<Before>,
}

#[derive(Debug)]
struct Outbox {
    pending: Gauge,
    failed: Gauge,
    age: Gauge,
    shards: Gauge,
    published: Counter,
    retries: Counter,
}

/// What was counted when it was last looked.
#[derive(Debug, Default)]
struct Before {
    connections: Option<u64>,
    published: u64,
    retried: u64,
}

impl ProcessMetrics {
    pub(crate) fn new() -> Self {
        let subscriptions = |transport| gauge(&table::SUBSCRIPTIONS, &[("transport", transport)]);
        Self {
            connected: gauge(&table::CONNECTED, &[]),
            down: gauge(&table::CONNECTIONS_DOWN, &[]),
            reconnects: counter(&table::RECONNECTS, &[]),
            pulling: subscriptions("jetstream"),
            listening: subscriptions("core"),
            outbox: Outbox {
                pending: gauge(&table::OUTBOX_PENDING, &[]),
                failed: gauge(&table::OUTBOX_FAILED, &[]),
                age: gauge(&table::OUTBOX_AGE, &[]),
                shards: gauge(&table::OUTBOX_SHARDS, &[]),
                published: counter(&table::OUTBOX_PUBLISHED, &[]),
                retries: counter(&table::OUTBOX_RETRIES, &[]),
            },
            before: Mutex::default(),
        }
    }

    /// The connections as they are: `made` is how often one was made.
    pub(crate) fn connections(&self, is_connected: bool, down: usize, made: u64) {
        self.connected.set(f64::from(u8::from(is_connected)));
        self.down.set(down as f64);
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner).connections.replace(made);
        // The first ones are none that came back.
        self.reconnects.increment(before.map_or(0, |before| made.saturating_sub(before)));
    }

    /// The connection was closed for good.
    pub(crate) fn disconnected(&self) {
        self.connected.set(0.0);
    }

    /// Subscribers at work.
    pub(crate) fn subscriptions(&self, pulling: usize, listening: usize) {
        self.pulling.set(pulling as f64);
        self.listening.set(listening as f64);
    }

    /// The outbox as its relays see it.
    pub(crate) fn outbox(&self, numbers: &OutboxNumbers) {
        let Outbox { pending, failed, age, shards, published, retries } = &self.outbox;
        pending.set(numbers.pending as f64);
        failed.set(numbers.failed as f64);
        age.set(numbers.oldest.unwrap_or_default().as_secs_f64());
        shards.set(f64::from(numbers.shards));
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        published.increment(numbers.published.saturating_sub(before.published));
        retries.increment(numbers.retried.saturating_sub(before.retried));
        (before.published, before.retried) = (numbers.published, numbers.retried);
    }
}
