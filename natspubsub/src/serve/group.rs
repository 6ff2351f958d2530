//! Messages that arrived together go to the worker together: to wake its thread up costs more than to handle a small one.

use std::sync::Arc;
use std::time::Duration;
use std::vec;

use jiff::Timestamp;

use super::heard::Arrived;
use crate::metrics::{DeliveryMetrics, Flight};
use crate::transport::CoreMessage;

/// The most messages that go together.
pub(super) const GROUP_MAX: usize = 64;

/// Messages that arrived together, and were counted then. Dropped, those that are left are unanswered.
pub(crate) struct Group {
    messages: vec::IntoIter<CoreMessage>,
    /// The time of day, and that of deadlines.
    at: (Timestamp, Duration),
    metrics: Arc<DeliveryMetrics>,
}

impl Group {
    pub(super) fn new(messages: Vec<CoreMessage>, at: (Timestamp, Duration), metrics: Arc<DeliveryMetrics>) -> Self {
        Self { messages: messages.into_iter(), at, metrics }
    }

    /// How many are left.
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }
}

impl Iterator for Group {
    type Item = Arrived;

    fn next(&mut self) -> Option<Arrived> {
        let message = self.messages.next()?;
        // Made where it ends: a count that two threads write is dear.
        let flight = Flight::of_arrived(&self.metrics, self.at.1);
        Some(Arrived { message, at: self.at.0, flight })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}
