//! One durable consumer: what it has delivered, what is due again, where it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use natspubsub_grammar::Pattern;
use serde_json::Value;

use super::stream::{Kept, nanos};
use crate::error::Result;
use crate::transport::ack_subject::AckSubject;
use crate::transport::port::{AssetConfig, ConsumerState, Progress, Received, config_text};

/// The server's defaults.
const ACK_WAIT: Duration = Duration::from_secs(30);
const ACK_PENDING_MAX: u64 = 1_000;

/// What a consumer has for a pull.
pub(super) enum Taken {
    Delivery(Box<Received>),
    /// Nothing now; something is due at this time.
    Due(Duration),
    /// Nothing until something changes.
    Nothing,
    /// The consumer does not exist.
    Gone,
}

pub(super) struct Consumer {
    pub(super) config: AssetConfig,
    pub(super) ack_wait: Duration,
    filters: Vec<Pattern>,
    ack_pending_max: u64,
    deliveries_max: Option<u64>,
    exhausted: Vec<(u64, u64)>,
    /// The stream sequence from which new messages are taken.
    next: u64,
    /// With `last_per_subject`: the messages of the past that count, and where the past ends.
    only: Option<(BTreeSet<u64>, u64)>,
    /// Consumer sequence of the last delivery.
    sequence: u64,
    /// Delivered and unsettled: how often, and when due again.
    pending: BTreeMap<u64, (u64, Duration)>,
    due: BTreeSet<(Duration, u64)>,
}

impl Consumer {
    pub(super) fn new(config: &AssetConfig, messages: &BTreeMap<u64, Kept>, last_of_stream: u64) -> Result<Self> {
        let mut consumer = Self {
            config: AssetConfig::new(),
            ack_wait: ACK_WAIT,
            filters: Vec::new(),
            ack_pending_max: ACK_PENDING_MAX,
            deliveries_max: None,
            exhausted: Vec::new(),
            next: 1,
            only: None,
            sequence: 0,
            pending: BTreeMap::new(),
            due: BTreeSet::new(),
        };
        consumer.reconfigure(config)?;
        consumer.start(messages, last_of_stream);
        Ok(consumer)
    }

    /// Where the deliver policy begins.
    fn start(&mut self, messages: &BTreeMap<u64, Kept>, last_of_stream: u64) {
        let mine = || messages.iter().filter(|(_, kept)| self.matches(kept)).map(|(sequence, kept)| (*sequence, kept));
        let sequence = self.config.get("opt_start_seq").and_then(Value::as_u64);
        let time: Option<jiff::Timestamp> = config_text(&self.config, "opt_start_time").parse().ok();
        self.next = match config_text(&self.config, "deliver_policy") {
            "new" => last_of_stream + 1,
            "last" => mine().last().map_or(last_of_stream + 1, |(sequence, _)| sequence),
            "by_start_sequence" => sequence.unwrap_or(1),
            "by_start_time" => mine()
                .find(|(_, kept)| time.is_none_or(|time| kept.stored_at >= time))
                .map_or(last_of_stream + 1, |(sequence, _)| sequence),
            "last_per_subject" => {
                let last: BTreeMap<&str, u64> =
                    mine().map(|(sequence, kept)| (kept.message.subject.as_str(), sequence)).collect();
                self.only = Some((last.into_values().collect(), last_of_stream));
                1
            }
            _ => 1,
        };
    }

    fn matches(&self, kept: &Kept) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| filter.matches(&kept.message.subject))
    }

    /// Whether a message of the past is left out by `last_per_subject`.
    fn is_left_out(&self, sequence: u64) -> bool {
        self.only.as_ref().is_some_and(|(only, until)| sequence <= *until && !only.contains(&sequence))
    }

    pub(super) fn reconfigure(&mut self, config: &AssetConfig) -> Result<()> {
        let many =
            config.get("filter_subjects").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let one = Some(config_text(config, "filter_subject")).filter(|filter| !filter.is_empty());
        self.filters = many.chain(one).map(Pattern::system).collect::<Result<_, _>>()?;
        let ack_wait = nanos(config, "ack_wait");
        self.ack_wait = if ack_wait.is_zero() { ACK_WAIT } else { ack_wait };
        self.ack_pending_max = config.get("max_ack_pending").and_then(Value::as_u64).unwrap_or(ACK_PENDING_MAX);
        self.deliveries_max = config.get("max_deliver").and_then(Value::as_u64);
        self.config = config.clone();
        Ok(())
    }

    pub(super) fn progress(&self, messages: &BTreeMap<u64, Kept>) -> Progress {
        let first_unanswered = self.pending.first_key_value().map_or(self.next, |(sequence, _)| *sequence);
        let answered = first_unanswered.saturating_sub(1);
        if self.pending.len() as u64 >= self.ack_pending_max {
            return Progress { answered, backlog: 0 };
        }
        let mine =
            messages.range(self.next..).filter(|(sequence, kept)| self.matches(kept) && !self.is_left_out(**sequence));
        Progress { answered, backlog: mine.count() as u64 }
    }

    /// Who waits for messages is not counted.
    pub(super) fn state(&self, name: &str, messages: &BTreeMap<u64, Kept>) -> ConsumerState {
        ConsumerState {
            name: name.to_owned(),
            config: self.config.clone(),
            answered: self.progress(messages).answered,
            unanswered: self.pending.len() as u64,
            waiting: 0,
        }
    }

    /// Messages that reached the limit of deliveries since the last call, with their deliveries.
    pub(super) fn take_exhausted(&mut self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.exhausted)
    }

    pub(super) fn settle(&mut self, sequence: u64) {
        if let Some((_, due)) = self.pending.remove(&sequence) {
            self.due.remove(&(due, sequence));
        }
    }

    pub(super) fn due_at(&mut self, sequence: u64, at: Duration) {
        if let Some((_, due)) = self.pending.get_mut(&sequence) {
            self.due.remove(&(*due, sequence));
            *due = at;
            self.due.insert((at, sequence));
        }
    }

    /// The delivery that has been due longest, else the next new message, else when to look again.
    pub(super) fn take(&mut self, stream: &str, messages: &BTreeMap<u64, Kept>, now: Duration) -> Taken {
        while let Some(&(due, sequence)) = self.due.first() {
            if due > now {
                break;
            }
            let deliveries = self.pending.get(&sequence).map_or(0, |(deliveries, _)| *deliveries);
            let exhausted = self.deliveries_max.is_some_and(|max| deliveries >= max);
            match messages.get(&sequence) {
                Some(kept) if !exhausted => return self.deliver(stream, sequence, kept, deliveries + 1, now),
                Some(_) => {
                    self.exhausted.push((sequence, deliveries));
                    self.settle(sequence);
                }
                None => self.settle(sequence),
            }
        }
        if (self.pending.len() as u64) < self.ack_pending_max {
            for (&sequence, kept) in messages.range(self.next..) {
                self.next = sequence + 1;
                if self.matches(kept) && !self.is_left_out(sequence) {
                    return self.deliver(stream, sequence, kept, 1, now);
                }
            }
        }
        self.due.first().map_or(Taken::Nothing, |(due, _)| Taken::Due(*due))
    }

    fn deliver(&mut self, stream: &str, sequence: u64, kept: &Kept, deliveries: u64, now: Duration) -> Taken {
        self.settle(sequence);
        let due = now + self.ack_wait;
        self.pending.insert(sequence, (deliveries, due));
        self.due.insert((due, sequence));
        self.sequence += 1;
        let consumer = config_text(&self.config, "name");
        let token =
            AckSubject { stream, consumer, deliveries, sequence, stored_at: kept.stored_at }.write(self.sequence, 0);
        Taken::Delivery(Box::new(kept.received(sequence, deliveries, token)))
    }
}
