//! The handles of one subscriber.

use std::time::Duration;

use ::metrics::{Counter, Gauge, Histogram};

use super::about::About;
use super::handles::{CounterFamily, HistogramFamily, counter, gauge, histogram, is_recorded};
use super::table;
use super::values::{AckFailure, Ending, RunOutcome};

/// What is counted about the deliveries of one subscriber.
#[derive(Debug)]
pub(crate) struct DeliveryMetrics {
    is_recorded: bool,
    received: Counter,
    processed: Counter,
    failed: CounterFamily,
    processing: Histogram,
    dead_letters: CounterFamily,
    deliveries: Counter,
    settlements: CounterFamily,
    in_flight: Gauge,
    running: Gauge,
    queue_wait: Histogram,
    handler: HistogramFamily,
    retries: Counter,
    redeliveries: Counter,
    ack_failures: CounterFamily,
    size: Histogram,
}

impl DeliveryMetrics {
    /// `subscriber` is the name of its function; `reasons` are those of dead letters, none where there are no dead letters.
    pub(crate) fn new(about: &About, subscriber: &str, reasons: &[&str]) -> Self {
        let labels = about.labels();
        let handled = [labels.as_slice(), &[("subscriber", subscriber)]].concat();
        let own = [("subscriber", subscriber)];
        let subject = [("subject", about.subject())];
        Self {
            is_recorded: is_recorded(),
            received: counter(&table::RECEIVED, &labels),
            processed: counter(&table::PROCESSED, &handled),
            failed: CounterFamily::new(&table::FAILED, &handled, RunOutcome::failures()),
            processing: histogram(&table::PROCESSING, &handled),
            dead_letters: CounterFamily::new(&table::DEAD_LETTERS, &subject, reasons),
            deliveries: counter(&table::DELIVERIES, &own),
            settlements: CounterFamily::new(&table::SETTLEMENTS, &own, Ending::VALUES),
            in_flight: gauge(&table::IN_FLIGHT, &own),
            running: gauge(&table::RUNNING, &own),
            queue_wait: histogram(&table::QUEUE_WAIT, &own),
            handler: HistogramFamily::new(&table::HANDLER, &own, RunOutcome::VALUES),
            retries: counter(&table::RETRIES, &own),
            redeliveries: counter(&table::REDELIVERIES, &own),
            ack_failures: CounterFamily::new(&table::ACK_FAILURES, &own, AckFailure::VALUES),
            size: histogram(&table::MESSAGE_SIZE, &own),
        }
    }

    /// One that counts nothing, as that of the reader of advisories: its messages are nobody's.
    pub(crate) fn silent() -> Self {
        Self {
            is_recorded: false,
            received: Counter::noop(),
            processed: Counter::noop(),
            failed: CounterFamily::silent(),
            processing: Histogram::noop(),
            dead_letters: CounterFamily::silent(),
            deliveries: Counter::noop(),
            settlements: CounterFamily::silent(),
            in_flight: Gauge::noop(),
            running: Gauge::noop(),
            queue_wait: Histogram::noop(),
            handler: HistogramFamily::silent(),
            retries: Counter::noop(),
            redeliveries: Counter::noop(),
            ack_failures: CounterFamily::silent(),
            size: Histogram::noop(),
        }
    }

    /// A dead letter that no delivery here led to. `subject` is bounded.
    pub(crate) fn note_dead_letter_of(subject: &str, reason: &str) {
        counter(&table::DEAD_LETTERS, &[("subject", subject), ("reason", reason)]).increment(1);
    }

    /// Whether anybody wants to know, so that the clock is looked at.
    pub(crate) fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    /// A delivery of so many bytes arrived.
    pub(crate) fn arrived(&self, size: usize, is_redelivery: bool) {
        self.received.increment(1);
        self.in_flight.increment(1.0);
        self.deliveries.increment(1);
        if is_redelivery {
            self.redeliveries.increment(1);
        }
        self.size.record(size as f64);
    }

    pub(super) fn waited(&self, wait: Duration) {
        self.queue_wait.record(wait);
    }

    pub(super) fn ended(&self, ending: Ending) {
        self.settlements.add(ending as usize);
        self.in_flight.decrement(1.0);
        if ending == Ending::Processed {
            self.processed.increment(1);
        }
    }

    /// A handler runs until what this returns is dropped.
    pub(crate) fn running(&self) -> Running<'_> {
        self.running.increment(1.0);
        Running(&self.running)
    }

    /// A run came to its end.
    pub(crate) fn ran(&self, outcome: RunOutcome, took: Duration) {
        self.processing.record(took);
        self.handler.record(outcome as usize, took);
        self.failed(outcome);
    }

    /// Counts an attempt, if it did not succeed. One that never ran, as its bytes cannot be read, has no duration.
    pub(crate) fn failed(&self, outcome: RunOutcome) {
        if let Some(failure) = outcome.failure() {
            self.failed.add(failure);
        }
    }

    pub(crate) fn retried(&self) {
        self.retries.increment(1);
    }

    /// `reason` is its place among those that this was made with.
    pub(crate) fn dead_lettered(&self, reason: usize) {
        self.dead_letters.add(reason);
    }

    pub(crate) fn unanswered(&self, failure: AckFailure) {
        self.ack_failures.add(failure as usize);
    }
}

/// A handler that runs.
#[must_use]
pub(crate) struct Running<'a>(&'a Gauge);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
