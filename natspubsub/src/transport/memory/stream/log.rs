//! The stored messages of a stream, and what finds them without looking at all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use natspubsub_grammar::Pattern;

use crate::transport::port::{Outbound, Received};

/// A message as it is kept.
pub(in super::super) struct Kept {
    pub(in super::super) message: Outbound,
    pub(in super::super) stored_at: Timestamp,
    /// When it was stored, on the clock that nobody sets.
    pub(super) since: Duration,
    pub(super) size: u64,
    /// How long it stays, whatever the stream says.
    pub(super) ttl: Option<Ttl>,
}

/// How long a message stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ttl {
    For(Duration),
    /// No age ends it.
    Never,
}

impl Kept {
    pub(in super::super) fn received(&self, sequence: u64, deliveries: u64, token: String) -> Received {
        Received {
            subject: self.message.subject.clone(),
            headers: self.message.headers.clone(),
            body: self.message.body.clone(),
            sequence,
            deliveries,
            stored_at: self.stored_at,
            backlog: 0,
            token,
            fault: None,
        }
    }

    fn ends(&self, age: Option<Duration>) -> Option<Duration> {
        let lives = match (self.ttl, age) {
            (Some(Ttl::Never), _) => return None,
            (Some(Ttl::For(ttl)), Some(age)) => ttl.min(age),
            (Some(Ttl::For(ttl)), None) => ttl,
            (None, age) => age?,
        };
        Some(self.since + lives)
    }
}

/// The stored messages of a stream.
#[derive(Default)]
pub(in super::super) struct Log {
    messages: BTreeMap<u64, Kept>,
    of_subject: BTreeMap<String, BTreeSet<u64>>,
    ends: BTreeSet<(Duration, u64)>,
    age: Option<Duration>,
    bytes: u64,
    /// The last number that was given; its message may be gone.
    last: u64,
}

impl Log {
    /// A log whose first message gets this number.
    pub(super) fn starting_at(first: u64) -> Self {
        Self { last: first.saturating_sub(1), ..Self::default() }
    }

    pub(in super::super) fn last(&self) -> u64 {
        self.last
    }

    /// The number of the first message that there is, or of the first that will be.
    pub(in super::super) fn first(&self) -> u64 {
        self.messages.first_key_value().map_or(self.last + 1, |(sequence, _)| *sequence)
    }

    pub(super) fn count(&self) -> u64 {
        self.messages.len() as u64
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(in super::super) fn get(&self, sequence: u64) -> Option<&Kept> {
        self.messages.get(&sequence)
    }

    /// The messages from a number on.
    pub(in super::super) fn from(&self, sequence: u64) -> impl DoubleEndedIterator<Item = (u64, &Kept)> {
        self.messages.range(sequence..).map(|(sequence, kept)| (*sequence, kept))
    }

    pub(super) fn count_of(&self, subject: &str) -> u64 {
        self.of_subject.get(subject).map_or(0, |own| own.len() as u64)
    }

    pub(super) fn first_of(&self, subject: &str) -> Option<u64> {
        self.of_subject.get(subject)?.first().copied()
    }

    pub(super) fn first_size_of(&self, subject: &str) -> u64 {
        self.first_of(subject).and_then(|first| self.messages.get(&first)).map_or(0, |kept| kept.size)
    }

    /// The subjects that have more messages than that.
    pub(super) fn subjects_over(&self, max: Option<u64>) -> Vec<String> {
        let Some(max) = max else { return Vec::new() };
        let over = self.of_subject.iter().filter(|(_, own)| own.len() as u64 > max);
        over.map(|(subject, _)| subject.clone()).collect()
    }

    /// The numbers of all messages whose subject matches.
    pub(super) fn matching(&self, pattern: &Pattern) -> Vec<u64> {
        let subjects = self.of_subject.iter().filter(|(subject, _)| pattern.matches(subject));
        subjects.flat_map(|(_, own)| own.iter().copied()).collect()
    }

    pub(in super::super) fn count_subjects(&self, pattern: &Pattern) -> u64 {
        self.of_subject.keys().filter(|subject| pattern.matches(subject)).count() as u64
    }

    /// A number for a message that is not kept.
    pub(super) fn skip(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(super) fn push(&mut self, kept: Kept) -> u64 {
        let sequence = self.skip();
        self.bytes += kept.size;
        match self.of_subject.get_mut(&kept.message.subject) {
            Some(own) => drop(own.insert(sequence)),
            None => drop(self.of_subject.insert(kept.message.subject.clone(), BTreeSet::from([sequence]))),
        }
        if let Some(ends) = kept.ends(self.age) {
            self.ends.insert((ends, sequence));
        }
        self.messages.insert(sequence, kept);
        sequence
    }

    pub(super) fn remove(&mut self, sequence: u64) -> Option<Kept> {
        let kept = self.messages.remove(&sequence)?;
        self.bytes -= kept.size;
        if let Some(own) = self.of_subject.get_mut(&kept.message.subject) {
            own.remove(&sequence);
            if own.is_empty() {
                self.of_subject.remove(&kept.message.subject);
            }
        }
        if let Some(ends) = kept.ends(self.age) {
            self.ends.remove(&(ends, sequence));
        }
        Some(kept)
    }

    /// Every message lives as long as this from when it was stored.
    pub(super) fn set_age(&mut self, age: Option<Duration>) {
        if self.age != age {
            self.age = age;
            let ends = |(sequence, kept): (&u64, &Kept)| Some((kept.ends(age)?, *sequence));
            self.ends = self.messages.iter().filter_map(ends).collect();
        }
    }

    /// The message that leaves first by its age, and when.
    pub(super) fn next_end(&self) -> Option<(Duration, u64)> {
        self.ends.first().copied()
    }
}
