//! What follows from what has ended.

use std::time::Duration;

use super::decision::{Case, Decision, counted, decide};
use super::flight::{Flight, Landed, words};
use super::patience::pause;
use super::results::Results;
use super::stats::Question;
use super::work::{Done, SWEEP_MAX, Work};
use crate::error::Result;
use crate::failpoints::{Sabotage, sabotaged};
use crate::store::{ClaimedMessage, Lead, MessageEnd, OutboxDepth, SettledMessage};

/// How often sent messages are deleted, and how often the outbox is measured.
const SWEEP: Duration = Duration::from_secs(1);
const MEASURE: Duration = Duration::from_secs(5);

/// How much longer than the others a message waits that made everybody pause, so that another one tries first.
const LAST_IN_LINE: Duration = Duration::from_millis(100);

impl Work {
    pub(super) fn handle(&mut self, done: Done) {
        let now = self.clock.monotonic();
        match done {
            Done::Led { asked, granted } => self.led(asked, granted, now),
            Done::Claimed { limit, found } => self.claimed(limit, found, now),
            Done::Landed(flight, landed) => self.landed(&flight, landed, now),
            Done::Settled(results, written) => self.settled(results, written, now),
            Done::Resigned(resigned) => self.resigned(resigned, now),
            Done::Written(told) => self.written(told, now),
            Done::Swept(deleted) => {
                self.asked.chore = false;
                let is_more =
                    self.answered(Question::Sweep, deleted, now).is_some_and(|deleted| deleted >= u64::from(SWEEP_MAX));
                self.times.sweep = if is_more { now } else { now + SWEEP };
            }
            Done::Measured(depth) => {
                self.asked.chore = false;
                self.times.measure = now + MEASURE;
                if let Some(depth) = self.answered(Question::Measure, depth, now) {
                    self.measured(depth);
                }
            }
        }
    }

    /// Notes whether the database answers.
    fn answered<T>(&mut self, question: Question, answer: Result<T>, now: Duration) -> Option<T> {
        let told = &mut self.board.told().database;
        match answer {
            Ok(value) => {
                if told.remove(&question).is_some() && told.is_empty() {
                    tracing::info!("the database of the outbox answers again");
                }
                Some(value)
            }
            Err(error) => {
                if told.is_empty() {
                    tracing::warn!(%error, "the database of the outbox does not answer the relay; it is asked again");
                }
                told.insert(question, words(&error));
                if !matches!(question, Question::Sweep | Question::Measure) {
                    self.failures += 1;
                    self.times.database = now + pause(self.failures);
                }
                None
            }
        }
    }

    fn led(&mut self, asked: Duration, granted: Result<Vec<Lead>>, now: Duration) {
        self.asked.lead = false;
        let lease = self.settings.outbox_lease;
        let Some(leads) = self.answered(Question::Lead, granted, now) else {
            self.times.lead = now + pause(self.failures).min(lease / 3);
            return;
        };
        self.failures = 0;
        self.renewals = self.renewals.wrapping_add(1);
        self.times.lead = asked + lease / 3;
        if leads.as_slice() != self.fence.leads() {
            tracing::debug!(?leads, "what this relay leads has changed");
            self.look.wake(now);
        }
        self.fence.grant(leads, asked, lease);
        let fence = &self.fence;
        let lost = self.hand.keep(|lead| fence.has(lead));
        if lost > 0 {
            tracing::info!(messages = lost, "another relay leads these messages by now");
        }
        self.board.told().stats.leads = u16::try_from(self.fence.leads().len()).unwrap_or(u16::MAX);
    }

    fn claimed(&mut self, limit: usize, found: Result<Vec<ClaimedMessage>>, now: Duration) {
        self.asked.claim = false;
        let Some(mut found) = self.answered(Question::Claim, found, now) else {
            // It may have claimed messages that nobody will ever see, unless another leader takes them back.
            self.must_resign = true;
            self.hand.claim_ended();
            return;
        };
        self.look.found(found.len() >= limit, now);
        let bytes: usize = found.iter().map(|claimed| claimed.message.body.len()).sum();
        self.size = bytes.checked_div(found.len()).unwrap_or(self.size);
        found.retain(|claimed| self.fence.has(claimed.lead));
        if sabotaged(Sabotage::CursorRelay) {
            found.retain(|claimed| claimed.id > self.highest);
        }
        self.highest = found.iter().map(|claimed| claimed.id).fold(self.highest, i64::max);
        for claimed in self.hand.add(found) {
            self.give_back(claimed, "a message of its key before it is tried again", now);
        }
        self.hand.claim_ended();
        if self.stopping || self.pause.room(1, now) == 0 {
            self.give_back_all("the relay ends or is paused");
        }
    }

    fn landed(&mut self, flight: &Flight, landed: Landed, now: Duration) {
        self.sends -= 1;
        let airfield = self.airfield.clone();
        let case = Case {
            subject: &flight.outbound.subject,
            attempts: flight.attempts,
            attempts_max: self.settings.outbox_max_attempts,
            own: &airfield.config.namespace,
            is_connected: airfield.transport.is_connected(),
        };
        let decision = match landed {
            Landed::Answered(answer) => decide(answer, &case),
            Landed::Refused(error) => counted(&case, words(&error)),
            Landed::Fenced => {
                Decision::Retry { after: Duration::ZERO, error: "the lease was over".to_owned(), counted: false }
            }
        };
        match decision {
            Decision::Sent { duplicate } => {
                self.go_on();
                let mut told = self.board.told();
                told.stats.published += 1;
                told.stats.duplicates += u64::from(duplicate);
                drop(told);
                self.end(flight, MessageEnd::Sent);
            }
            Decision::Retry { after, error, counted } => {
                if counted {
                    self.go_on();
                    tracing::warn!(
                        id = flight.id,
                        subject = case.subject,
                        error,
                        "a message of the outbox is tried again"
                    );
                }
                self.retry(flight, MessageEnd::Retry { after, error, counted }, now);
            }
            Decision::Pause { error } => self.pause_all(flight, error, now),
            Decision::Failed { error } => {
                self.go_on();
                self.fail(flight, error);
            }
        }
    }

    /// The server has answered: the others follow.
    fn go_on(&mut self) {
        self.pause.end();
        if self.board.told().paused.take().is_some() {
            tracing::info!("the relay goes on");
            self.look.wake(self.clock.monotonic());
        }
    }

    fn pause_all(&mut self, flight: &Flight, error: String, now: Duration) {
        let wait = self.pause.begin(now);
        let is_new = self.board.told().paused.replace(error.clone()).is_none();
        if is_new {
            tracing::warn!(error, "the relay of the outbox is paused; one message tries from time to time");
        }
        let after = wait + LAST_IN_LINE;
        self.retry(flight, MessageEnd::Retry { after, error: error.clone(), counted: false }, now);
        self.give_back_all(&error);
        self.look.wake(now + wait);
    }

    /// The message has failed for good.
    pub(super) fn fail(&mut self, flight: &Flight, error: String) {
        let (id, subject) = (flight.id, &flight.outbound.subject);
        tracing::error!(id, subject, error, "a message of the outbox has failed; retry_failed sends it again");
        self.board.told().stats.failed += 1;
        self.end(flight, MessageEnd::Failed { error });
    }

    fn end(&mut self, flight: &Flight, end: MessageEnd) {
        let now = self.clock.monotonic();
        self.results.add(SettledMessage { id: flight.id, lead: flight.lead, end }, None, now);
        self.hand.ended(flight.key.as_deref());
    }

    /// The message goes back, and what is behind it in its key too.
    fn retry(&mut self, flight: &Flight, end: MessageEnd, now: Duration) {
        self.board.told().stats.retried += 1;
        let key = flight.key.as_deref();
        self.hand.block(key);
        self.results.add(SettledMessage { id: flight.id, lead: flight.lead, end }, flight.key.clone(), now);
        for behind in self.hand.held_up(key) {
            self.give_back(behind, "a message of its key before it is tried again", now);
        }
    }

    /// What has not left goes back as it was.
    fn give_back(&mut self, claimed: ClaimedMessage, why: &str, now: Duration) {
        let ClaimedMessage { id, lead, message, .. } = claimed;
        self.owed[usize::from(lead.shard)] += 1;
        self.hand.block(message.key.as_deref());
        let end = MessageEnd::Retry { after: Duration::ZERO, error: why.to_owned(), counted: false };
        self.results.add(SettledMessage { id, lead, end }, message.key, now);
    }

    pub(super) fn give_back_all(&mut self, why: &str) {
        let now = self.clock.monotonic();
        for claimed in self.hand.take_all() {
            self.give_back(claimed, why, now);
        }
    }

    fn settled(&mut self, results: Results, written: Result<u64>, now: Duration) {
        self.asked.settle = false;
        let Some(written) = self.answered(Question::Settle, written, now) else {
            self.results.put_back(results);
            return;
        };
        if written < results.len() as u64 {
            tracing::debug!(written, all = results.len(), "another relay leads some of these messages by now");
        }
        for settled in results.settled() {
            let owed = &mut self.owed[usize::from(settled.lead.shard)];
            *owed = owed.saturating_sub(1);
        }
        for key in results.keys() {
            self.hand.written_down(Some(key), self.asked.claim);
        }
        if let Some(after) = results.soonest() {
            self.look.by(now + after);
        }
    }

    fn resigned(&mut self, resigned: Result<()>, now: Duration) {
        self.asked.resign = false;
        if self.answered(Question::Resign, resigned, now).is_some() {
            self.must_resign = false;
            self.fence.clear();
            self.rename();
            self.times.lead = now;
            self.board.told().stats.leads = 0;
        }
    }

    fn written(&mut self, told: Result<()>, now: Duration) {
        self.asked.listen = false;
        match told {
            Ok(()) if self.pause.until().is_none_or(|until| until <= now) => self.look.wake(now),
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(%error, "the database does not tell of new messages; the relay looks each outbox_poll");
                self.times.listen = now + SWEEP;
            }
        }
    }

    fn measured(&mut self, depth: OutboxDepth) {
        let OutboxDepth { pending, failed, oldest } = depth;
        let stats = &mut self.board.told().stats;
        if failed > stats.failed_rows {
            tracing::error!(failed, "messages of the outbox are failed; retry_failed sends them again");
        }
        (stats.pending, stats.failed_rows, stats.oldest) = (pending, failed, oldest);
    }

    /// Counts a message that may have been stored so long ago that the stream has forgotten its id.
    pub(super) fn note_old(&self, claimed: &ClaimedMessage) {
        let window = self.airfield.config.stream.duplicate_window;
        if claimed.first_claimed.is_some_and(|since| since > window) {
            self.board.told().stats.republished_after_window += 1;
            tracing::warn!(
                id = claimed.id,
                subject = claimed.message.subject,
                "a message of the outbox is sent again after stream_duplicate_window; it may be stored twice"
            );
        }
    }
}
