//! What becomes of an answer.

use std::time::Duration;

use super::broker::Broker;
use super::consumer::Consumer;
use crate::transport::ack_subject::AckSubject;
use crate::transport::port::Answer;

/// An answer to a delivery that was not the newest one of its message. It counts all the same, as with a server, which
/// looks at the message only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StaleAnswer {
    pub(super) stream: String,
    pub(super) consumer: String,
    pub(super) sequence: u64,
    pub(super) kind: &'static str,
}

impl Broker {
    /// Takes an answer; whether the consumer of the delivery exists.
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

    /// Somebody still works on it; whether the consumer of the delivery exists.
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
        let Some(consumer) = found.consumers.get_mut(name) else { return false };
        let is_stale = consumer.deliveries(sequence) > delivery.deliveries;
        for settled in change(consumer, now.since) {
            found.release(settled);
        }
        found.serve_one(name, now);
        if is_stale {
            let (stream, consumer) = (stream.to_owned(), name.to_owned());
            held.streams.stale.push(StaleAnswer { stream, consumer, sequence, kind });
        }
        true
    }

    /// The answers that came for a delivery that was not the newest one of its message.
    #[cfg(any(test, feature = "testing"))]
    #[cfg_attr(not(test), allow(dead_code, reason = "for tests in virtual time"))]
    pub(super) fn stale_answers(&self) -> Vec<StaleAnswer> {
        self.hold().streams.stale.clone()
    }
}
