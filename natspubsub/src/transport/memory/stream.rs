//! One stream: its messages, its window of message ids, its consumers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use natspubsub_grammar::Pattern;
use serde_json::{Value, json};

use super::broker::refuse;
use super::consumer::{Consumer, Taken};
use crate::error::Result;
use crate::message::Headers;
use crate::message::headers::{EXPECTED_LAST_SEQUENCE, MESSAGE_ID, SCHEDULE, TTL};
use crate::transport::port::{
    AssetConfig, ConsumerState, Outbound, Progress, PublishFault, Received, Stored, config_text,
};

/// A message as it is kept.
pub(super) struct Kept {
    pub(super) message: Outbound,
    pub(super) stored_at: Timestamp,
    since: Duration,
}

impl Kept {
    pub(super) fn received(&self, sequence: u64, deliveries: u64, token: String) -> Received {
        Received {
            subject: self.message.subject.clone(),
            headers: self.message.headers.clone(),
            body: self.message.body.clone(),
            sequence,
            deliveries,
            stored_at: self.stored_at,
            token,
            fault: None,
        }
    }
}

pub(super) struct Stream {
    pub(super) name: String,
    pub(super) config: AssetConfig,
    pub(super) subjects: Vec<Pattern>,
    pub(super) consumers: BTreeMap<String, Consumer>,
    pub(super) made_at: Timestamp,
    messages: BTreeMap<u64, Kept>,
    last: u64,
    /// Message ids inside the duplicate window: sequence and time of storage.
    ids: HashMap<String, (u64, Duration)>,
    max_age: Duration,
    duplicate_window: Duration,
}

impl Stream {
    pub(super) fn new(config: &AssetConfig, made_at: Timestamp) -> Result<Self> {
        let mut stream = Self {
            name: config_text(config, "name").to_owned(),
            config: AssetConfig::new(),
            subjects: Vec::new(),
            consumers: BTreeMap::new(),
            made_at,
            messages: BTreeMap::new(),
            last: 0,
            ids: HashMap::new(),
            max_age: Duration::ZERO,
            duplicate_window: Duration::ZERO,
        };
        stream.reconfigure(config)?;
        Ok(stream)
    }

    pub(super) fn reconfigure(&mut self, config: &AssetConfig) -> Result<()> {
        let subjects = config.get("subjects").and_then(Value::as_array).into_iter().flatten();
        let mut patterns = Vec::new();
        for subject in subjects.filter_map(Value::as_str) {
            patterns.push(Pattern::system(subject)?);
        }
        self.subjects = patterns;
        self.max_age = nanos(config, "max_age");
        self.duplicate_window = nanos(config, "duplicate_window");
        self.config = config.clone();
        Ok(())
    }

    pub(super) fn takes(&self, subject: &str) -> bool {
        self.subjects.iter().any(|pattern| pattern.matches(subject))
    }

    pub(super) fn count_subjects(&self, pattern: &Pattern) -> u64 {
        let subjects = self.messages.values().map(|kept| kept.message.subject.as_str());
        subjects.filter(|subject| pattern.matches(subject)).collect::<BTreeSet<_>>().len() as u64
    }

    pub(super) fn overlaps(&self, other: &Pattern) -> Option<String> {
        self.subjects.iter().find_map(|pattern| pattern.overlaps(other))
    }

    /// Refuses what the server would refuse, and what this broker cannot do.
    pub(super) fn check(&self, message: &Outbound) -> Result<(), PublishFault> {
        let header = |name: &str| message.headers.get(name);
        if header(TTL).is_some() || header(SCHEDULE).is_some() {
            let text = "the broker inside the process knows no lifetimes of single messages and no delays";
            return Err(PublishFault::Rejected(text.to_owned()));
        }
        let expected = header(EXPECTED_LAST_SEQUENCE).and_then(|expected| expected.parse().ok());
        if expected.is_some_and(|expected: u64| expected != self.last) {
            return Err(PublishFault::Rejected(format!("wrong last sequence: {} (10071)", self.last)));
        }
        Ok(())
    }

    pub(super) fn store(&mut self, message: Outbound, now: Duration, stored_at: Timestamp) -> Stored {
        self.expire(now);
        let id = message_id(&message).map(str::to_owned);
        if let Some((sequence, _)) = id.as_ref().and_then(|id| self.ids.get(id)) {
            return Stored { stream: self.name.clone(), sequence: *sequence, duplicate: true };
        }
        self.last += 1;
        if let Some(id) = id {
            self.ids.insert(id, (self.last, now));
        }
        self.messages.insert(self.last, Kept { message, stored_at, since: now });
        Stored { stream: self.name.clone(), sequence: self.last, duplicate: false }
    }

    /// Whether a message of this id was stored inside the duplicate window.
    pub(super) fn knows(&self, message: &Outbound, now: Duration) -> bool {
        let known = message_id(message).and_then(|id| self.ids.get(id));
        known.is_some_and(|(_, since)| *since + self.duplicate_window > now)
    }

    fn expire(&mut self, now: Duration) {
        if !self.max_age.is_zero() {
            while self.messages.first_key_value().is_some_and(|(_, kept)| kept.since + self.max_age <= now) {
                self.messages.pop_first();
            }
        }
        let window = self.duplicate_window;
        self.ids.retain(|_, (_, since)| *since + window > now);
    }

    pub(super) fn create_consumer(&mut self, config: &AssetConfig) -> Result<()> {
        let consumer = Consumer::new(config, &self.messages, self.last)?;
        let name = config_text(config, "name").to_owned();
        match self.consumers.get(&name) {
            Some(existing) if existing.config == *config => Ok(()),
            Some(_) => refuse(format!("consumer {name:?} already exists with another configuration (10148)")),
            None => {
                self.consumers.insert(name, consumer);
                Ok(())
            }
        }
    }

    pub(super) fn progress(&self, consumer: &str) -> Option<Progress> {
        Some(self.consumers.get(consumer)?.progress(&self.messages))
    }

    pub(super) fn consumer_states(&self) -> Vec<ConsumerState> {
        self.consumers.iter().map(|(name, consumer)| consumer.state(name, &self.messages)).collect()
    }

    pub(super) fn stored(&self, sequence: u64) -> Option<Received> {
        Some(self.messages.get(&sequence)?.received(sequence, 1, String::new()))
    }

    pub(super) fn stored_after(&self, sequence: u64) -> Option<Received> {
        let (sequence, kept) = self.messages.range(sequence + 1..).next()?;
        Some(kept.received(*sequence, 1, String::new()))
    }

    pub(super) fn purge(&mut self, subject: &str) {
        self.messages.retain(|_, kept| kept.message.subject != subject);
    }

    pub(super) fn delete(&mut self, sequence: u64) {
        self.messages.remove(&sequence);
    }

    /// What the server says about messages that a consumer has delivered too often, as it says it.
    pub(super) fn advisories(&mut self, consumer: &str, now: Timestamp) -> Vec<Outbound> {
        let stream = &self.name;
        let Some(exhausted) = self.consumers.get_mut(consumer).map(Consumer::take_exhausted) else { return Vec::new() };
        let advisory = |(sequence, deliveries)| {
            Outbound {
            subject: format!("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{stream}.{consumer}"),
            headers: Headers::default(),
            body: json!({
                "stream": stream, "consumer": consumer, "stream_seq": sequence, "deliveries": deliveries, "timestamp": now,
            })
            .to_string()
            .into(),
        }
        };
        exhausted.into_iter().map(advisory).collect()
    }

    pub(super) fn take(&mut self, consumer: &str, now: Duration) -> Taken {
        self.expire(now);
        match self.consumers.get_mut(consumer) {
            Some(consumer) => consumer.take(&self.name, &self.messages, now),
            None => Taken::Gone,
        }
    }
}

/// The server reads the header in this exact case only.
pub(super) fn message_id(message: &Outbound) -> Option<&str> {
    message.headers.iter().find(|(name, _)| *name == MESSAGE_ID).map(|(_, id)| id)
}

pub(super) fn nanos(config: &AssetConfig, key: &str) -> Duration {
    Duration::from_nanos(config.get(key).and_then(Value::as_u64).unwrap_or(0))
}
