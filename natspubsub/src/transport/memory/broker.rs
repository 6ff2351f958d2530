//! The broker: its streams behind one lock, and a bell that rings on every change.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use natspubsub_grammar::Pattern;
use tokio::sync::Notify;

use super::consumer::Taken;
use super::core::Core;
use super::stream::{Stream, message_id};
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};
use crate::message::headers::EXPECTED_LAST_SEQUENCE;
use crate::transport::ApiFault;
use crate::transport::ack_subject::AckSubject;
use crate::transport::port::{
    Answer, AssetConfig, ConsumerState, Outbound, Progress, PublishFault, Received, Stored, config_text,
};

pub(super) struct Broker {
    pub(super) clock: SharedClock,
    pub(super) core: Core,
    streams: Mutex<BTreeMap<String, Stream>>,
    changed: Notify,
}

impl Broker {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self { clock, core: Core::default(), streams: Mutex::default(), changed: Notify::new() }
    }

    fn streams(&self) -> MutexGuard<'_, BTreeMap<String, Stream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bell; listen to it before looking.
    pub(super) fn changed(&self) -> &Notify {
        &self.changed
    }

    pub(super) fn publish(&self, message: Outbound) -> Result<Stored, PublishFault> {
        self.store(vec![message], Stream::check)
    }

    /// Stores all messages or none; where the last one is.
    pub(super) fn publish_atomic(&self, messages: Vec<Outbound>) -> Result<Stored, PublishFault> {
        let mut ids = HashSet::new();
        for (index, message) in messages.iter().enumerate() {
            if index > 0 && message.headers.get(EXPECTED_LAST_SEQUENCE).is_some() {
                return Err(PublishFault::Rejected(
                    "only the first message of a batch can expect a sequence".to_owned(),
                ));
            }
            if message_id(message).is_some_and(|id| !ids.insert(id.to_owned())) {
                return Err(repeated());
            }
        }
        let now = self.clock.monotonic();
        let check = |stream: &Stream, message: &Outbound| match stream.knows(message, now) {
            true => Err(repeated()),
            false => stream.check(message),
        };
        self.store(messages, check)
    }

    fn store(
        &self,
        messages: Vec<Outbound>,
        check: impl Fn(&Stream, &Outbound) -> Result<(), PublishFault>,
    ) -> Result<Stored, PublishFault> {
        let (now, stored_at) = (self.clock.monotonic(), self.clock.now());
        let mut streams = self.streams();
        let takes_all = |stream: &&mut Stream| messages.iter().all(|message| stream.takes(&message.subject));
        let stream = streams.values_mut().find(takes_all).ok_or(PublishFault::NoStream)?;
        for message in &messages {
            check(stream, message)?;
        }
        let mut stored = Err(PublishFault::Rejected("the batch has no message".to_owned()));
        for message in messages {
            stored = Ok(stream.store(message, now, stored_at));
        }
        let stored = stored?;
        drop(streams);
        self.changed.notify_waiters();
        Ok(stored)
    }

    pub(super) fn stream(&self, name: &str) -> Option<AssetConfig> {
        self.streams().get(name).map(|stream| stream.config.clone())
    }

    pub(super) fn count_subjects(&self, stream: &str, pattern: &str) -> Result<u64> {
        let pattern = Pattern::system(pattern)?;
        Ok(self.streams().get(stream).map_or(0, |stream| stream.count_subjects(&pattern)))
    }

    pub(super) fn purge(&self, stream: &str, subject: &str) {
        if let Some(stream) = self.streams().get_mut(stream) {
            stream.purge(subject);
        }
    }

    pub(super) fn streams_on(&self, subject: &str) -> Vec<String> {
        let Ok(pattern) = Pattern::system(subject) else { return Vec::new() };
        self.streams()
            .iter()
            .filter(|(_, stream)| stream.overlaps(&pattern).is_some())
            .map(|(name, _)| name.clone())
            .collect()
    }

    pub(super) fn create_stream(&self, config: &AssetConfig) -> Result<()> {
        let new = Stream::new(config, self.clock.now())?;
        let mut streams = self.streams();
        if let Some(existing) = streams.get(&new.name) {
            if existing.config == *config {
                return Ok(());
            }
            return refuse(format!("stream {:?} already exists with another configuration (10058)", new.name));
        }
        for other in streams.values() {
            if let Some(example) = new.subjects.iter().find_map(|subject| other.overlaps(subject)) {
                return refuse(format!(
                    "subjects of stream {:?} overlap those of {:?}, as in {example:?} (10065)",
                    new.name, other.name
                ));
            }
        }
        streams.insert(new.name.clone(), new);
        Ok(())
    }

    pub(super) fn update_stream(&self, config: &AssetConfig) -> Result<()> {
        let name = config_text(config, "name");
        match self.streams().get_mut(name) {
            Some(stream) => stream.reconfigure(config),
            None => refuse(format!("stream {name:?} not found (10059)")),
        }
    }

    #[cfg(feature = "testing")]
    pub(super) fn delete_stream(&self, name: &str) {
        self.streams().remove(name);
        self.changed.notify_waiters();
    }

    pub(super) fn consumer(&self, stream: &str, name: &str) -> Result<Option<AssetConfig>> {
        Ok(self
            .streams()
            .get(stream)
            .and_then(|stream| stream.consumers.get(name))
            .map(|consumer| consumer.config.clone()))
    }

    pub(super) fn progress(&self, stream: &str, name: &str) -> Option<Progress> {
        self.streams().get(stream)?.progress(name)
    }

    pub(super) fn consumers(&self, stream: &str) -> Vec<ConsumerState> {
        self.streams().get(stream).map(Stream::consumer_states).unwrap_or_default()
    }

    pub(super) fn stream_made_at(&self, name: &str) -> Option<Timestamp> {
        self.streams().get(name).map(|stream| stream.made_at)
    }

    pub(super) fn stored(&self, stream: &str, sequence: u64) -> Option<Received> {
        self.streams().get(stream)?.stored(sequence)
    }

    pub(super) fn stored_after(&self, stream: &str, sequence: u64) -> Option<Received> {
        self.streams().get(stream)?.stored_after(sequence)
    }

    pub(super) fn delete_message(&self, stream: &str, sequence: u64) {
        if let Some(stream) = self.streams().get_mut(stream) {
            stream.delete(sequence);
        }
    }

    pub(super) fn create_consumer(&self, stream: &str, config: &AssetConfig) -> Result<()> {
        let mut streams = self.streams();
        match streams.get_mut(stream) {
            Some(stream) => stream.create_consumer(config),
            None => refuse(format!("stream {stream:?} not found (10059)")),
        }
    }

    pub(super) fn update_consumer(&self, stream: &str, config: &AssetConfig) -> Result<()> {
        let mut streams = self.streams();
        let consumer = streams.get_mut(stream).and_then(|stream| stream.consumers.get_mut(config_text(config, "name")));
        match consumer {
            Some(consumer) => consumer.reconfigure(config),
            None => refuse("consumer does not exist (10149)".to_owned()),
        }
    }

    pub(super) fn delete_consumer(&self, stream: &str, name: &str) {
        if let Some(stream) = self.streams().get_mut(stream) {
            stream.consumers.remove(name);
        }
        self.changed.notify_waiters();
    }

    /// The next delivery of a consumer, or how long to wait for one that is due later.
    pub(super) fn take(&self, stream: &str, consumer: &str) -> Taken {
        let (now, stored_at) = (self.clock.monotonic(), self.clock.now());
        let mut streams = self.streams();
        let Some(taken_from) = streams.get_mut(stream) else { return Taken::Gone };
        let taken = taken_from.take(consumer, now);
        for advisory in taken_from.advisories(consumer, stored_at) {
            if let Some(stream) = streams.values_mut().find(|stream| stream.takes(&advisory.subject)) {
                stream.store(advisory, now, stored_at);
                self.changed.notify_waiters();
            }
        }
        taken
    }

    /// Whether the consumer of the delivery exists.
    pub(super) fn answer(&self, delivery: &AckSubject<'_>, answer: &Answer) -> bool {
        let now = self.clock.monotonic();
        let exists = self.with_consumer(delivery, |consumer| match answer {
            Answer::Ack | Answer::Term(_) => consumer.settle(delivery.sequence),
            Answer::Nak(delay) => consumer.due_at(delivery.sequence, now + *delay),
        });
        self.changed.notify_waiters();
        exists
    }

    pub(super) fn in_progress(&self, delivery: &AckSubject<'_>) {
        let now = self.clock.monotonic();
        self.with_consumer(delivery, |consumer| {
            let ack_wait: Duration = consumer.ack_wait;
            consumer.due_at(delivery.sequence, now + ack_wait);
        });
    }

    fn with_consumer(&self, delivery: &AckSubject<'_>, change: impl FnOnce(&mut super::consumer::Consumer)) -> bool {
        let mut streams = self.streams();
        let consumer = streams.get_mut(delivery.stream).and_then(|stream| stream.consumers.get_mut(delivery.consumer));
        consumer.map(change).is_some()
    }
}

fn repeated() -> PublishFault {
    PublishFault::Rejected("the batch contains a duplicate message id (10201)".to_owned())
}

/// The text ends with the number that the server would give.
pub(super) fn refuse<T>(text: String) -> Result<T> {
    let code = text.strip_suffix(')').and_then(|text| text.rsplit_once('(')).and_then(|(_, code)| code.parse().ok());
    Err(match code {
        Some(code) => ApiFault::numbered(code, text),
        None => Error::new(ErrorKind::Server, text),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::clock::SystemClock;
    use crate::message::Headers;

    fn object(value: Value) -> AssetConfig {
        value.as_object().unwrap().clone()
    }

    fn answered(broker: &Broker, taken: Taken, answer: &Answer) -> u64 {
        let Taken::Delivery(received) = taken else { panic!("a delivery") };
        assert!(broker.answer(&AckSubject::parse(&received.token).unwrap(), answer));
        received.deliveries
    }

    #[test]
    fn a_message_that_reached_the_limit_is_told_once_and_delivered_no_more() {
        let broker = Broker::new(SystemClock::shared());
        let advisories = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.S.>";
        broker.create_stream(&object(json!({ "name": "S", "subjects": ["a.>"] }))).unwrap();
        broker.create_stream(&object(json!({ "name": "A", "subjects": [advisories] }))).unwrap();
        broker.create_consumer("S", &object(json!({ "name": "c", "max_deliver": 2 }))).unwrap();
        broker.create_consumer("A", &object(json!({ "name": "sweeper", "filter_subject": advisories }))).unwrap();
        let message = Outbound { subject: "a.b".into(), headers: Headers::default(), body: "x".into() };
        broker.publish(message).unwrap();
        for delivery in 1..=2 {
            assert_eq!(answered(&broker, broker.take("S", "c"), &Answer::Nak(Duration::ZERO)), delivery);
        }
        for _ in 0..2 {
            assert!(matches!(broker.take("S", "c"), Taken::Nothing));
        }
        let Taken::Delivery(advisory) = broker.take("A", "sweeper") else { panic!("an advisory") };
        assert_eq!(advisory.subject, "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.S.c");
        let told: Value = serde_json::from_slice(&advisory.body).unwrap();
        assert_eq!(
            told,
            json!({ "stream": "S", "consumer": "c", "stream_seq": 1, "deliveries": 2, "timestamp": told["timestamp"] })
        );
        assert!(matches!(broker.take("A", "sweeper"), Taken::Due(_)), "told once");
        assert!(broker.stored("S", 1).is_some(), "the message stays in the stream");
    }
}
