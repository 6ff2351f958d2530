//! One consumer: what it has delivered, what is due again, who waits for it.

pub(super) mod config;
mod cursor;
mod pending;
mod rules;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use natspubsub_grammar::Pattern;

use self::cursor::Cursor;
use self::pending::Pending;
use self::rules::{AckPolicy, Rules};
pub(super) use self::waiting::Mailbox;
use self::waiting::Waiting;
use super::refuse::Refusal;
use super::stream::log::Log;
use crate::transport::ack_subject::AckSubject;
use crate::transport::port::{AssetConfig, ConsumerState, Progress, PullEvent, Received, config_text};

/// What a server says to a request that is one too many.
const TOO_MANY: &str = "409 Exceeded MaxWaiting";

pub(super) struct Consumer {
    pub(super) config: AssetConfig,
    name: String,
    rules: Rules,
    cursor: Cursor,
    pending: Pending,
    waiting: Waiting,
    /// Its own number of the last delivery.
    number: u64,
    /// When it was last used.
    used: Duration,
    /// Messages that were answered by being delivered, and that the stream has not been told of.
    passed: Vec<u64>,
    /// The due time that those who wait know of.
    told: Option<Duration>,
}

impl Consumer {
    /// From a completed configuration.
    pub(super) fn new(config: AssetConfig, log: &Log, now: Duration) -> Self {
        let rules = Rules::of(&config);
        let cursor = Cursor::start(&config, &rules, log);
        let mut pending = Pending::starting_behind(cursor.delivered());
        pending.limit(rules.deliveries_max);
        Self {
            name: config_text(&config, "name").to_owned(),
            config,
            rules,
            pending,
            cursor,
            waiting: Waiting::default(),
            number: 0,
            used: now,
            passed: Vec::new(),
            told: None,
        }
    }

    pub(super) fn reconfigure(&mut self, config: AssetConfig, log: &Log) -> Result<(), Refusal> {
        config::check_update(&self.config, &config)?;
        self.rules = Rules::of(&config);
        self.config = config;
        self.cursor.recount(&self.rules, log);
        self.pending.limit(self.rules.deliveries_max);
        Ok(())
    }

    pub(super) fn filters(&self) -> &[Pattern] {
        &self.rules.filters
    }

    pub(super) fn matches(&self, subject: &str) -> bool {
        self.rules.matches(subject)
    }

    pub(super) fn progress(&self) -> Progress {
        let pending = self.cursor.backlog();
        let backlog = if self.is_full() { 0 } else { pending };
        Progress { answered: self.pending.answered(), backlog, pending, unanswered: self.pending.len() }
    }

    pub(super) fn state(&self) -> ConsumerState {
        ConsumerState {
            name: self.name.clone(),
            config: self.config.clone(),
            answered: self.pending.answered(),
            unanswered: self.pending.len(),
            waiting: self.waiting.len() as u64,
        }
    }

    /// Whether nothing new is delivered before something is answered.
    pub(super) fn is_full(&self) -> bool {
        self.rules.ack_pending_max.is_some_and(|max| self.pending.len() >= max)
    }

    /// Whether a message is still to be delivered or answered.
    pub(super) fn needs(&self, sequence: u64, subject: &str) -> bool {
        self.pending.holds(sequence) || self.cursor.awaits(&self.rules, sequence, subject)
    }

    /// A message was stored; whether it is its own.
    pub(super) fn stored(&mut self, sequence: u64, subject: &str) -> bool {
        self.cursor.stored(&self.rules, sequence, subject)
    }

    /// A message left the stream: nobody has to answer it any more. Whether somebody had to.
    pub(super) fn removed(&mut self, sequence: u64, subject: &str) -> bool {
        self.cursor.removed(&self.rules, sequence, subject);
        let was_unanswered = self.pending.holds(sequence);
        self.pending.settle(sequence, (self.number, self.cursor.delivered()));
        was_unanswered
    }

    /// How often the message of a delivery was delivered by now; 0 when nobody waits for an answer.
    pub(super) fn deliveries(&self, sequence: u64) -> u64 {
        self.pending.deliveries(sequence)
    }

    /// Whether answers mean anything to it.
    pub(super) fn hears_answers(&self) -> bool {
        self.rules.ack_policy != AckPolicy::Nothing
    }

    /// Messages that were answered by being delivered since the last call.
    pub(super) fn take_passed(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.passed)
    }

    /// Takes an answer for good: the messages that it stands for.
    pub(super) fn settle(&mut self, sequence: u64) -> Vec<u64> {
        let last = (self.number, self.cursor.delivered());
        if sequence > last.1 {
            return Vec::new();
        }
        if self.rules.ack_policy == AckPolicy::All {
            return self.pending.settle_all(sequence, last);
        }
        self.pending.settle(sequence, last);
        vec![sequence]
    }

    /// Is to be delivered again after a delay.
    pub(super) fn repeat(&mut self, sequence: u64, delay: Duration, now: Duration) {
        match delay.is_zero() {
            true => self.pending.repeat(sequence, now),
            false => {
                let delay = self.rules.delay(self.pending.deliveries(sequence), delay);
                self.pending.postpone(sequence, now, now + delay);
            }
        }
    }

    /// Somebody still works on it.
    pub(super) fn extend(&mut self, sequence: u64, now: Duration) {
        let wait = self.rules.wait(self.pending.deliveries(sequence));
        self.pending.postpone(sequence, now, now + wait);
    }

    /// The message that nobody answered in its last delivery, and how many those were.
    pub(super) fn give_up(&mut self, now: Duration) -> Option<(u64, u64)> {
        self.pending.give_up(now)
    }

    pub(super) fn next_give_up(&self) -> Option<Duration> {
        self.pending.next_end()
    }

    /// When it ends because nobody uses it.
    pub(super) fn idle_end(&self) -> Option<Duration> {
        let idle = self.rules.idle?;
        let used = self.waiting.next_end().unwrap_or_default().max(self.used) + idle;
        Some(self.pending.last_due().unwrap_or_default().max(used))
    }

    pub(super) fn request(&mut self, mailbox: &Arc<Mailbox>, batch: u32, ends: Duration, now: Duration) {
        self.used = now;
        if self.waiting.len() >= self.rules.waiting_max {
            self.waiting.withdraw(mailbox);
            mailbox.put(PullEvent::Gone(TOO_MANY.to_owned()));
        } else if batch > 0 {
            self.waiting.add(mailbox, batch, ends);
        }
    }

    pub(super) fn withdraw(&mut self, mailbox: &Arc<Mailbox>) {
        self.waiting.withdraw(mailbox);
    }

    /// Ends what waits for it: it exists no more.
    pub(super) fn end(&mut self, why: &str) {
        self.waiting.end(why);
    }

    /// When those who wait have to look again: a message is due, or their time is over.
    pub(super) fn next_look(&self) -> Option<Duration> {
        let end = self.waiting.next_end()?;
        Some(self.pending.next_due().map_or(end, |due| due.min(end)))
    }

    /// Delivers to those who wait.
    pub(super) fn serve(&mut self, stream: &str, log: &Log, now: Duration) {
        if let Some(ended) = self.waiting.expire(now) {
            self.used = self.used.max(ended);
        }
        while !self.waiting.is_empty() {
            let Some(received) = self.take(stream, log, now) else { break };
            self.used = now;
            self.waiting.hand(Box::new(received));
        }
        let due = self.pending.next_due();
        if due.is_some_and(|due| self.told.is_none_or(|told| due < told)) {
            self.waiting.ring();
        }
        self.told = due;
    }

    /// The message that has been due longest, else the next new one.
    fn take(&mut self, stream: &str, log: &Log, now: Duration) -> Option<Received> {
        let sequence = match self.pending.due(now) {
            Some(sequence) => sequence,
            None if self.is_full() => return None,
            None => self.cursor.advance(&self.rules, log)?,
        };
        let kept = log.get(sequence)?;
        self.number += 1;
        let rules = &self.rules;
        let deliveries = match rules.ack_policy {
            AckPolicy::Nothing => {
                self.pending.pass((self.number, sequence));
                self.passed.push(sequence);
                1
            }
            _ => self.pending.deliver(sequence, self.number, |deliveries| now + rules.wait(deliveries)),
        };
        let (consumer, stored_at, backlog) = (&self.name, kept.stored_at, self.cursor.backlog());
        let named = AckSubject { stream, consumer, deliveries, sequence, stored_at, backlog };
        Some(kept.received(sequence, deliveries, named.write(self.number)))
    }
}
