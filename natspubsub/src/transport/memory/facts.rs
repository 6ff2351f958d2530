//! What only a test asks of a broker.

use std::time::Duration;

pub(crate) use super::answers::StaleAnswer;
use super::broker::Broker;
use super::stream::Stream;

/// What only a test asks of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Messages that wait to be published.
    pub(crate) scheduled: usize,
    /// When the first of them is, on the clock of the broker.
    pub(crate) next_scheduled: Option<Duration>,
    /// Answers that came for a delivery that was not the newest one of its message: the newest thousand.
    pub(crate) stale_answers: Vec<StaleAnswer>,
}

impl Broker {
    pub(super) fn facts(&self) -> Facts {
        let held = self.hold();
        let each = || held.all().map(Stream::scheduled);
        Facts {
            scheduled: each().map(|(count, _)| count).sum(),
            next_scheduled: each().filter_map(|(_, due)| due).min(),
            stale_answers: held.streams.stale.all(),
        }
    }
}
