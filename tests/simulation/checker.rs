//! What must hold of every run, whatever its faults: the sets of the Jepsen checker, and a cause for each extra run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::app::{APP, CONFIRMED, CONSUMERS, Consumer, Deed, Job};
use crate::history::{History, Message};
use crate::run::{Evidence, Letter};
use crate::trace::{Ending, Event, Place};
use crate::{order, room};

/// What was violated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A stored message was neither handled, discarded nor a dead letter, or one was told as stored and is not.
    Lost,
    /// Something was handled that nobody published.
    Unexpected,
    /// A handler ran once more, and nothing in the trace is the cause.
    ExtraRun,
    /// A subscriber with a key ran a message behind a later one of its key, or beside one.
    Inversion,
    /// A message became a dead letter that would have succeeded.
    WronglyDead,
    /// A message was handled and became a dead letter too, and nothing is the cause.
    DeadAndDone,
    /// A message was ended before its dead letter was stored.
    EndedTooEarly,
    /// An answer for an older delivery struck a newer one.
    StaleAnswer,
    /// More was asked for, or ran, than there is room for.
    TooMany,
    /// What was handled has not published what follows, or has twice.
    FollowUp,
    /// Something never settled.
    Stalled,
}

/// One violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) kind: Kind,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}

/// Every violation of a run.
pub(crate) fn check(evidence: &Evidence) -> Vec<Violation> {
    let history = History::of(&evidence.events);
    let mut check = Check { evidence, history: &history, jobs: jobs(evidence), found: Vec::new() };
    if let Some(unsettled) = &evidence.unsettled {
        check.note(Kind::Stalled, unsettled.clone());
    }
    check.confirmed();
    for consumer in &CONSUMERS {
        check.messages(consumer);
        check.order(consumer);
        check.found.extend(room::check(consumer, &evidence.events));
    }
    check.answers();
    check.letters();
    check.follow_ups();
    check.found
}

/// The job of each message of the application's stream.
fn jobs(evidence: &Evidence) -> BTreeMap<u64, (String, Job)> {
    let (mut jobs, mut follow_ups) = (BTreeMap::new(), evidence.follow_ups.iter());
    for event in &evidence.events {
        let Event::Store { subject, id, sequence, is_new: true } = event else { continue };
        let Some((_, topic)) = subject.split_once(&format!(".{APP}.")) else { continue };
        let job = match evidence.attempted.get(id) {
            Some(step) => Some(step.job.clone()),
            None if topic == CONFIRMED => follow_ups.next().cloned(),
            None => None,
        };
        if let Some(job) = job {
            jobs.insert(*sequence, (topic.to_owned(), job));
        }
    }
    jobs
}

/// The id of a message of the application that its stream has.
fn stored(event: &Event) -> Option<&str> {
    let Event::Store { subject, id, .. } = event else { return None };
    (subject.split('.').nth(1) == Some(APP)).then_some(id)
}

struct Check<'a> {
    evidence: &'a Evidence,
    history: &'a History,
    jobs: BTreeMap<u64, (String, Job)>,
    found: Vec<Violation>,
}

impl<'a> Check<'a> {
    fn note(&mut self, kind: Kind, what: String) {
        self.found.push(Violation { kind, what });
    }

    fn letter(&self, consumer: &str, sequence: u64) -> Option<&'a Letter> {
        self.evidence.letters.iter().find(|letter| letter.consumer == consumer && letter.sequence == sequence)
    }

    /// What the publisher was told as stored is stored, then or by an attempt before.
    fn confirmed(&mut self) {
        let stored: BTreeSet<&str> = self.evidence.events.iter().filter_map(stored).collect();
        for id in self.evidence.confirmed.iter().filter(|id| !stored.contains(id.as_str())) {
            self.note(Kind::Lost, format!("{id} was told as stored, and is not"));
        }
    }

    /// Each message has an end, and each run beyond the first a cause.
    fn messages(&mut self, consumer: &Consumer) {
        let (durable, history) = (consumer.durable, self.history);
        for (sequence, job) in self.jobs.clone().into_iter().filter(|(_, (topic, _))| topic == consumer.topic) {
            let job = &job.1;
            let message = history.message(durable, sequence);
            let is_done = message.is_some_and(|message| message.is_done());
            if !is_done && self.letter(durable, sequence).is_none() {
                let confirmed = self.evidence.confirmed.contains(&format!("job-{}", job.number));
                self.note(Kind::Lost, format!("{durable} {sequence}, confirmed: {confirmed}, {job:?}"));
            }
            for (before, run) in message.iter().flat_map(|message| message.beyond_the_first()) {
                if !history.has_cause(durable, sequence, before, run) {
                    self.note(Kind::ExtraRun, format!("{durable} {sequence} ran again in line {}", run + 1));
                }
            }
        }
        let published: BTreeSet<u64> = self.jobs.keys().copied().collect();
        for sequence in history.sequences(durable).filter(|sequence| !published.contains(sequence)) {
            self.note(Kind::Unexpected, format!("{durable} {sequence}"));
        }
    }

    /// The messages of one key keep their order.
    fn order(&mut self, consumer: &Consumer) {
        let of = self.jobs.iter().filter(|(_, (topic, _))| topic == consumer.topic);
        let keys = of.map(|(sequence, (_, job))| (*sequence, job.book)).collect();
        if consumer.is_ordered {
            self.found.extend(order::check(consumer, &keys, self.history, &self.evidence.events));
        }
    }

    /// No NAK and no TERM is for an older delivery, and a TERM comes behind the dead letter.
    fn answers(&mut self) {
        let mut stored = BTreeSet::new();
        let mut deleted = BTreeSet::new();
        for (line, event) in self.evidence.events.iter().enumerate() {
            match event {
                Event::Store { id, .. } => drop(stored.insert(id.as_str())),
                Event::FaultOf(consumer, name) if name == "delete-consumer" => drop(deleted.insert(consumer.as_str())),
                Event::Answer { place: Place { consumer, sequence, .. }, word, is_stale } if word != "ack" => {
                    if *is_stale && !deleted.contains(consumer.as_str()) {
                        self.found.push(Violation {
                            kind: Kind::StaleAnswer,
                            what: format!("{word} of {consumer} {sequence} in line {}", line + 1),
                        });
                    }
                    let suffix = format!(":{sequence}:{consumer}");
                    if word == "term" && !stored.iter().any(|id| id.starts_with("dlq:") && id.ends_with(&suffix)) {
                        self.found.push(Violation {
                            kind: Kind::EndedTooEarly,
                            what: format!("{consumer} {sequence} in line {}", line + 1),
                        });
                    }
                }
                _ => {}
            }
        }
    }

    /// Only what cannot succeed, and what faults have used up, is a dead letter.
    fn letters(&mut self) {
        let evidence = self.evidence;
        for Letter { consumer, sequence, reason, deliveries } in &evidence.letters {
            let known = CONSUMERS.iter().find(|known| known.durable == consumer);
            let (Some(known), Some((_, job))) = (known, self.jobs.get(sequence)) else {
                self.note(Kind::Unexpected, format!("a dead letter of {consumer} {sequence}"));
                continue;
            };
            let message = self.history.message(consumer, *sequence);
            let failed = message.map_or(0, Message::failed);
            let was_struck = self.history.was_struck(consumer, message);
            // What follows it could not be stored.
            let was_refused = known.topic == "order.placed" && failed > u64::from(job.fails);
            let is_used_up = (was_struck || was_refused) && *deliveries + failed >= known.attempts_max;
            let is_passing = matches!(reason.as_str(), "exhausted" | "crash");
            if job.deed != Deed::Poison && !(is_used_up && is_passing) {
                let what = format!(
                    "{consumer} {sequence}: {reason} after {deliveries} deliveries, {failed} failed runs, {job:?}"
                );
                self.note(Kind::WronglyDead, what);
            }
            if message.is_some_and(Message::is_done) && !was_struck {
                self.note(Kind::DeadAndDone, format!("{consumer} {sequence}: {reason}"));
            }
        }
    }

    /// Each order that was handled is confirmed once.
    fn follow_ups(&mut self) {
        let mut confirmed: BTreeMap<u64, usize> = BTreeMap::new();
        for job in &self.evidence.follow_ups {
            *confirmed.entry(job.number).or_default() += 1;
        }
        for (sequence, (topic, job)) in self.jobs.clone() {
            let is_handled = self.history.message("sim-place", sequence).is_some_and(Message::is_done);
            let times = confirmed.get(&job.number).copied().unwrap_or(0);
            if topic == "order.placed" && (is_handled && times == 0 || times > 1) {
                self.note(Kind::FollowUp, format!("order {} is confirmed {times} times", job.number));
            }
        }
    }
}

/// Whether a run ended well.
pub(crate) fn is_well(ending: Ending) -> bool {
    matches!(ending, Ending::Handled | Ending::Discarded)
}

#[cfg(test)]
#[path = "checker_tests.rs"]
mod tests;
