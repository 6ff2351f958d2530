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

#[cfg(test)]
mod tests {
    use ::metrics::with_local_recorder;
    use bytes::Bytes;
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    use super::*;
    use crate::message::Headers;
    use crate::metrics::{About, Ending};
    use crate::transport::Outbound;

    #[test]
    fn what_is_left_when_a_group_is_dropped_is_unanswered() {
        let recorder = DebuggingRecorder::new();
        let counted = recorder.snapshotter();
        with_local_recorder(&recorder, || {
            let metrics = Arc::new(DeliveryMetrics::new(&About::of(&["a".to_owned()]), "on_a", &[]));
            let outbound = || Outbound { subject: "a".to_owned(), headers: Headers::default(), body: Bytes::new() };
            let message = || CoreMessage { message: outbound(), reply: None, no_responders: false };
            let messages: Vec<CoreMessage> = (0..3).map(|_| message()).collect();
            let mut group = Group::new(messages, (Timestamp::UNIX_EPOCH, Duration::ZERO), metrics);
            group.next().unwrap().flight.end(Ending::Processed);
            assert_eq!(group.len(), 2);
        });
        let counts = counted.snapshot().into_vec();
        let settled = |how: &str| {
            counts.iter().find_map(|(key, _, _, value)| {
                let is_it = key.key().labels().any(|label| label.value() == how);
                if let DebugValue::Counter(count) = value { is_it.then_some(*count) } else { None }
            })
        };
        assert_eq!((settled("processed"), settled("unanswered")), (Some(1), Some(2)), "{counts:?}");
    }
}
