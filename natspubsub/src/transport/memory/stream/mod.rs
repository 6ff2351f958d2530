//! One stream: its messages, its window of message ids, its consumers.

mod commands;
pub(super) mod config;
pub(super) mod log;
mod retention;
mod rules;
mod schedule;
mod storing;
mod time;
mod window;

use std::collections::BTreeMap;

use jiff::Timestamp;
use natspubsub_grammar::Pattern;

use self::commands::{Commands, check_expected};
use self::log::Log;
use self::rules::{Retention, Rules};
use self::schedule::Schedules;
use self::window::Window;
pub(super) use self::window::message_id;
use super::consumer::Consumer;
use super::moment::Moment;
use super::refuse::{DELETE_DENIED, PURGE_DENIED, Refusal};
use crate::transport::port::{AssetConfig, Outbound, Received, config_text};

/// What a server says to those who wait when a consumer is deleted.
pub(super) const DELETED: &str = "409 Consumer Deleted";

pub(super) struct Stream {
    pub(super) name: String,
    pub(super) config: AssetConfig,
    pub(super) made_at: Timestamp,
    pub(super) consumers: BTreeMap<String, Consumer>,
    rules: Rules,
    log: Log,
    window: Window,
    schedules: Schedules,
    /// What is to be told about messages that nobody answered in their last delivery.
    advisories: Vec<Outbound>,
    /// Whether a message has left that a consumer waited for an answer to: it may deliver another one.
    made_room: bool,
}

impl Stream {
    /// From a completed configuration.
    pub(super) fn new(config: AssetConfig, made_at: Timestamp) -> Result<Self, Refusal> {
        config::check_new(&config)?;
        let rules = Rules::of(&config);
        let mut log = Log::starting_at(config::limit(&config, "first_seq").unwrap_or(1));
        log.set_age(rules.age);
        Ok(Self {
            name: config_text(&config, "name").to_owned(),
            config,
            made_at,
            consumers: BTreeMap::new(),
            rules,
            log,
            window: Window::default(),
            schedules: Schedules::default(),
            advisories: Vec::new(),
            made_room: false,
        })
    }

    pub(super) fn reconfigure(&mut self, mut config: AssetConfig, now: Moment) -> Result<(), Refusal> {
        config::check_update(&self.config, &config)?;
        config::sealed(&mut config);
        let was = self.rules.retention;
        self.rules = Rules::of(&config);
        self.config = config;
        self.log.set_age(self.rules.age);
        self.keep_limits();
        for subject in self.log.subjects_over(self.rules.per_subject) {
            self.keep_limit_of(&subject);
        }
        if was != self.rules.retention {
            self.sweep();
        }
        self.serve(now);
        Ok(())
    }

    pub(super) fn takes(&self, subject: &str) -> bool {
        self.rules.takes(subject)
    }

    pub(super) fn is_atomic(&self) -> bool {
        self.rules.atomic
    }

    pub(super) fn subjects(&self) -> &[Pattern] {
        &self.rules.subjects
    }

    pub(super) fn consumers_max(&self) -> Option<u64> {
        self.rules.consumers
    }

    pub(super) fn is_work_queue(&self) -> bool {
        self.rules.retention == Retention::WorkQueue
    }

    pub(super) fn overlaps(&self, other: &Pattern) -> bool {
        self.rules.subjects.iter().any(|pattern| pattern.overlaps(other).is_some())
    }

    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    /// Scheduled messages that wait, and when the first of them is due.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn scheduled(&self) -> (usize, Option<std::time::Duration>) {
        (self.schedules.count(), self.schedules.next().map(|(due, _)| due))
    }

    /// Whether a message of this id was stored inside the duplicate window.
    pub(super) fn knows(&self, message: &Outbound) -> bool {
        self.window.number(message).is_some()
    }

    /// Refuses what the server would refuse of a message that is stored behind `before`: so many messages and bytes.
    pub(super) fn check(&self, message: &Outbound, before: (u64, u64), now: Moment) -> Result<(), Refusal> {
        self.rules.check(message)?;
        Commands::read(message, &self.rules, now)?;
        self.rules.check_room(&self.log, message, before)
    }

    pub(super) fn check_expected(&self, message: &Outbound) -> Result<(), Refusal> {
        check_expected(message, self.log.last())
    }

    pub(super) fn size(&self, message: &Outbound) -> u64 {
        self.rules.size(message)
    }

    pub(super) fn serve_one(&mut self, consumer: &str, now: Moment) {
        let Some(consumer) = self.consumers.get_mut(consumer) else { return };
        consumer.serve(&self.name, &self.log, now.since);
        for passed in consumer.take_passed() {
            self.release(passed);
        }
    }

    pub(super) fn serve(&mut self, now: Moment) {
        for name in self.consumers.keys().cloned().collect::<Vec<_>>() {
            self.serve_one(&name, now);
        }
    }

    /// Delivers what those may deliver whose unanswered messages have left.
    pub(super) fn serve_freed(&mut self, now: Moment) {
        if std::mem::take(&mut self.made_room) {
            self.serve(now);
        }
    }

    pub(super) fn stored(&self, sequence: u64) -> Option<Received> {
        Some(self.log.get(sequence)?.received(sequence, 1, String::new()))
    }

    pub(super) fn stored_after(&self, sequence: u64) -> Option<Received> {
        let (sequence, kept) = self.log.from(sequence + 1).next()?;
        Some(kept.received(sequence, 1, String::new()))
    }

    pub(super) fn purge(&mut self, pattern: &Pattern) -> Result<(), Refusal> {
        if self.rules.deny_purge {
            return Err(PURGE_DENIED);
        }
        for sequence in self.log.matching(pattern) {
            self.remove(sequence);
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, sequence: u64) -> Result<(), Refusal> {
        if self.rules.deny_delete {
            return Err(DELETE_DENIED);
        }
        self.remove(sequence);
        Ok(())
    }

    /// Writes the whole configuration of a consumer; `None` if it does not exist.
    pub(super) fn reconfigure_consumer(
        &mut self,
        name: &str,
        config: AssetConfig,
        now: Moment,
    ) -> Option<Result<(), Refusal>> {
        let done = self.consumers.get_mut(name)?.reconfigure(config, &self.log);
        self.sweep();
        self.serve_one(name, now);
        Some(done)
    }

    pub(super) fn delete_consumer(&mut self, name: &str) {
        if let Some(mut consumer) = self.consumers.remove(name) {
            consumer.end(DELETED);
            self.sweep();
        }
    }

    pub(super) fn take_advisories(&mut self) -> Vec<Outbound> {
        std::mem::take(&mut self.advisories)
    }
}
