//! Storing messages, and letting go of those for which there is no room.

use super::super::consumer::Consumer;
use super::super::moment::Moment;
use super::super::refuse::Refusal;
use super::Stream;
use super::commands::Commands;
use super::log::{Kept, Log};
use super::rules::{Retention, Rules};
use crate::transport::port::{Outbound, Stored};

impl Stream {
    pub(in super::super) fn store(&mut self, message: Outbound, now: Moment) -> Result<Stored, Refusal> {
        self.rules.check(&message)?;
        let commands = Commands::read(&message, &self.rules, now)?;
        self.check_expected(&message)?;
        let stored = |sequence, duplicate| Stored { stream: self.name.clone(), sequence, duplicate };
        if let Some(sequence) = self.window.number(&message) {
            return Ok(stored(sequence, true));
        }
        self.rules.check_room(&self.log, &message, (0, 0))?;
        let answer = stored(self.log.last() + 1, false);
        self.append(message, commands, now);
        Ok(answer)
    }

    pub(super) fn append(&mut self, message: Outbound, commands: Commands, now: Moment) {
        self.window.remember(&message, self.log.last() + 1, now.since);
        let is_wanted = |consumer: &Consumer| consumer.matches(&message.subject);
        if self.rules.retention == Retention::Interest && !self.consumers.values().any(is_wanted) {
            self.log.skip();
            return;
        }
        let subject = message.subject.clone();
        let size = self.rules.size(&message);
        let Commands { ttl, schedule } = commands;
        if schedule.is_some() {
            while let Some(earlier) = self.log.first_of(&subject) {
                self.remove(earlier);
            }
        }
        let sequence = self.log.push(Kept { message, stored_at: now.wall, since: now.since, size, ttl });
        if let Some(schedule) = schedule {
            self.schedules.insert(sequence, schedule);
        }
        let mut theirs = Vec::new();
        for (name, consumer) in &mut self.consumers {
            if consumer.stored(sequence, &subject) {
                theirs.push(name.clone());
            }
        }
        self.keep_limit_of(&subject);
        self.keep_limits();
        for name in theirs {
            self.serve_one(&name, now);
        }
    }

    /// Lets old messages go until those of a subject are not too many.
    pub(super) fn keep_limit_of(&mut self, subject: &str) {
        let Some(max) = self.rules.per_subject else { return };
        while self.log.count_of(subject) > max
            && let Some(first) = self.log.first_of(subject)
        {
            self.remove(first);
        }
    }

    /// Lets old messages go until all of them are not too many.
    pub(super) fn keep_limits(&mut self) {
        let is_over = |rules: &Rules, log: &Log| {
            rules.messages.is_some_and(|max| log.count() > max) || rules.bytes.is_some_and(|max| log.bytes() > max)
        };
        while is_over(&self.rules, &self.log) {
            self.remove(self.log.first());
        }
    }

    /// Takes a message out, for every consumer too.
    pub(super) fn remove(&mut self, sequence: u64) -> Option<Kept> {
        let kept = self.log.remove(sequence)?;
        self.schedules.remove(sequence);
        for consumer in self.consumers.values_mut() {
            self.made_room |= consumer.removed(sequence, &kept.message.subject);
        }
        Some(kept)
    }
}
