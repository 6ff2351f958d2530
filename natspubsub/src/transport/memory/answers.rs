//! What becomes of an answer.

use std::time::Duration;

use super::broker::Broker;
use super::consumer::Consumer;
use crate::transport::ack_subject::AckSubject;
use crate::transport::port::Answer;

/// An answer to a delivery that was not the newest one of its message. It counts all the same, as with a server, which
/// looks at the message only.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StaleAnswer {
    pub(crate) stream: String,
    pub(crate) consumer: String,
    pub(crate) sequence: u64,
    pub(crate) kind: &'static str,
}

/// How many of them are kept, the newest ones.
#[cfg(any(test, feature = "testing"))]
pub(super) const STALE_MAX: usize = 1_000;

/// The newest answers that came late.
#[cfg(any(test, feature = "testing"))]
#[derive(Default)]
pub(super) struct StaleAnswers(std::collections::VecDeque<StaleAnswer>);

#[cfg(any(test, feature = "testing"))]
impl StaleAnswers {
    fn add(&mut self, answer: StaleAnswer) {
        if self.0.len() == STALE_MAX {
            self.0.pop_front();
        }
        self.0.push_back(answer);
    }

    pub(super) fn all(&self) -> Vec<StaleAnswer> {
        self.0.iter().cloned().collect()
    }
}

impl Broker {
    /// Takes an answer; whether somebody hears it: the consumer of the delivery exists, and its messages are answered.
    pub(super) fn answer(&self, delivery: &AckSubject<'_>, answer: &Answer) -> bool {
        let sequence = delivery.sequence;
        match answer {
            Answer::Ack => self.change(delivery, "ack", |consumer, _| consumer.settle(sequence)),
            Answer::Term(_) => self.change(delivery, "term", |consumer, _| consumer.settle(sequence)),
            Answer::Nak(delay) => self.change(delivery, "nak", |consumer, now| {
                consumer.repeat(sequence, *delay, now);
                Vec::new()
            }),
        }
    }

    /// Somebody still works on it; whether somebody hears it: the consumer of the delivery exists, and its messages are answered.
    pub(super) fn in_progress(&self, delivery: &AckSubject<'_>) -> bool {
        self.change(delivery, "in progress", |consumer, now| {
            consumer.extend(delivery.sequence, now);
            Vec::new()
        })
    }

    /// Changes a consumer and lets go what is answered for good by that.
    fn change(
        &self,
        delivery: &AckSubject<'_>,
        kind: &'static str,
        change: impl FnOnce(&mut Consumer, Duration) -> Vec<u64>,
    ) -> bool {
        let AckSubject { stream, consumer: name, sequence, .. } = *delivery;
        let mut held = self.hold();
        let now = held.now;
        let Ok(found) = held.stream(stream) else { return false };
        let consumer = found.consumers.get_mut(name).filter(|consumer| consumer.hears_answers());
        let Some(consumer) = consumer else { return false };
        let newest = consumer.deliveries(sequence);
        for settled in change(consumer, now.since) {
            found.release(settled);
        }
        found.serve_one(name, now);
        if newest > delivery.deliveries {
            tracing::debug!(stream, consumer = name, sequence, kind, "an answer to an earlier delivery");
            #[cfg(any(test, feature = "testing"))]
            held.streams.stale.add(StaleAnswer { stream: stream.into(), consumer: name.into(), sequence, kind });
        }
        true
    }
}
