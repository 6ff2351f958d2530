//! What the server says about one consumer, as gauges.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ::metrics::Gauge;
use jiff::Timestamp;

use super::handles::gauge;
use super::table;

/// The state of a circuit breaker, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Circuit {
    Closed = 0,
    HalfOpen = 1,
    Open = 2,
}

/// The gauges of one consumer, and what the age of its backlog follows from.
#[derive(Debug)]
pub(crate) struct ConsumerMetrics {
    lag: Gauge,
    lag_seconds: Gauge,
    ack_pending: Gauge,
    stalled: Gauge,
    circuit: Gauge,
    /// Messages that wait for their first delivery, as the server said last.
    pending: AtomicU64,
    /// What waits was stored later than this, in milliseconds of the time of day: a message is delivered after those that
    /// were stored before it, and when none waited, all came later.
    younger_than_ms: AtomicI64,
}

impl ConsumerMetrics {
    /// Nothing is known before `now`.
    pub(crate) fn new(stream: &str, consumer: &str, now: Timestamp) -> Self {
        let labels = [("stream", stream), ("consumer", consumer)];
        Self {
            lag: gauge(&table::LAG, &labels),
            lag_seconds: gauge(&table::LAG_SECONDS, &labels),
            ack_pending: gauge(&table::ACK_PENDING, &labels),
            stalled: gauge(&table::STALLED, &labels),
            circuit: gauge(&table::CIRCUIT, &labels),
            pending: AtomicU64::new(0),
            younger_than_ms: AtomicI64::new(now.as_millisecond()),
        }
    }

    /// One of which nothing is told.
    pub(crate) fn silent() -> Self {
        Self {
            lag: Gauge::noop(),
            lag_seconds: Gauge::noop(),
            ack_pending: Gauge::noop(),
            stalled: Gauge::noop(),
            circuit: Gauge::noop(),
            pending: AtomicU64::new(0),
            younger_than_ms: AtomicI64::new(0),
        }
    }

    /// A message came for the first time.
    pub(crate) fn arrived(&self, stored_at: Timestamp) {
        self.younger_than_ms.store(stored_at.as_millisecond(), Ordering::Relaxed);
    }

    /// The server was asked.
    pub(crate) fn told(&self, pending: u64, unanswered: u64, now: Timestamp) {
        self.pending.store(pending, Ordering::Relaxed);
        if pending == 0 {
            self.younger_than_ms.store(now.as_millisecond(), Ordering::Relaxed);
        }
        self.lag.set(pending as f64);
        self.ack_pending.set(unanswered as f64);
    }

    /// What rises by itself, and what is known without asking.
    pub(crate) fn refresh(&self, stalled: u64, circuit: Circuit, now: Timestamp) {
        self.lag_seconds.set(self.age(now));
        self.stalled.set(stalled as f64);
        self.circuit.set(f64::from(circuit as u8));
    }

    /// In seconds; clocks of two machines may differ.
    fn age(&self, now: Timestamp) -> f64 {
        if self.pending.load(Ordering::Relaxed) == 0 {
            return 0.0;
        }
        let age = now.as_millisecond() - self.younger_than_ms.load(Ordering::Relaxed);
        age.max(0) as f64 / 1000.0
    }
}

impl Drop for ConsumerMetrics {
    /// Nobody here reads it any more: what was told last is not true for ever.
    fn drop(&mut self) {
        [&self.lag, &self.lag_seconds, &self.ack_pending, &self.stalled, &self.circuit]
            .iter()
            .for_each(|gauge| gauge.set(0.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("a time")
    }

    #[test]
    fn what_waits_is_no_older_than_what_came_last_or_than_when_nothing_waited() {
        let consumer = ConsumerMetrics::new("s", "c", at(100));
        assert_eq!(consumer.age(at(200)), 0.0, "nothing waits as far as is known");
        consumer.told(5, 0, at(200));
        assert_eq!(consumer.age(at(200)), 100.0, "from the start on");
        consumer.arrived(at(190));
        assert_eq!(consumer.age(at(200)), 10.0);
        consumer.told(0, 0, at(210));
        assert_eq!(consumer.age(at(300)), 0.0);
        consumer.told(1, 0, at(220));
        assert_eq!(consumer.age(at(221)), 11.0, "it came when something had ceased to wait");
        assert_eq!(consumer.age(at(1)), 0.0, "a clock that goes back is no age");
    }
}
