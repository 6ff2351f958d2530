//! The broker: its streams behind one lock.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use natspubsub_grammar::Pattern;
use tokio::sync::Notify;

use super::agenda::Agenda;
use super::consumer::Mailbox;
use super::core::Core;
use super::moment::Moment;
use super::refuse::{ATOMIC_DISABLED, BATCH_DUPLICATE, BATCH_INCOMPLETE, BATCH_SEQUENCE, Refusal, STREAM_NOT_FOUND};
use super::stream::{Stream, message_id};
use crate::clock::SharedClock;
use crate::message::headers::EXPECTED_LAST_SEQUENCE;
use crate::transport::port::{Outbound, PublishFault, PullEvent, Stored};

/// What nobody answers to, in the words of the pull of a server.
const MISSING: &str = "nobody answers the pull: the consumer, its stream or its leader is missing";

pub(super) struct Broker {
    pub(super) clock: SharedClock,
    pub(super) core: Core,
    streams: Mutex<Streams>,
    /// Rings when something is due earlier than those who wait know.
    alarm: Notify,
}

/// The streams, and what was noticed about them.
#[derive(Default)]
pub(super) struct Streams {
    all: BTreeMap<String, Stream>,
    /// When something happens in them because time passes.
    events: Agenda,
    /// When something happens that somebody may wait for.
    alarms: Agenda,
    /// When those who wait expect the next alarm.
    told: Option<Duration>,
    #[cfg(any(test, feature = "testing"))]
    pub(super) stale: super::answers::StaleAnswers,
}

/// The streams as they are at one moment. When it is dropped, consumers have delivered what they may, and those who wait
/// learn what is due.
pub(super) struct Held<'a> {
    pub(super) streams: MutexGuard<'a, Streams>,
    pub(super) now: Moment,
    alarm: &'a Notify,
    /// Streams that may have changed.
    touched: BTreeSet<String>,
}

impl Broker {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self { clock, core: Core::default(), streams: Mutex::default(), alarm: Notify::new() }
    }

    /// Everything that was due has happened when this returns.
    pub(super) fn hold(&self) -> Held<'_> {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Moment::of(&*self.clock);
        let mut held = Held { streams, now, alarm: &self.alarm, touched: BTreeSet::new() };
        held.pass_time();
        held
    }

    /// Rings when something is due earlier than [`Broker::look`] said.
    pub(super) fn alarm(&self) -> &Notify {
        &self.alarm
    }

    pub(super) fn publish(&self, message: Outbound) -> Result<Stored, PublishFault> {
        let (_, stored) = self.store(message).ok_or(PublishFault::NoStream)?;
        Ok(stored?)
    }

    /// The stream that takes the subject, if one does, and what it says.
    pub(super) fn store(&self, message: Outbound) -> Option<(String, Result<Stored, Refusal>)> {
        let mut held = self.hold();
        let now = held.now;
        let stream = held.taking(&message.subject)?;
        Some((stream.name.clone(), stream.store(message, now)))
    }

    /// Stores all messages or none; where the last one is.
    pub(super) fn publish_atomic(&self, messages: Vec<Outbound>) -> Result<Stored, PublishFault> {
        let mut held = self.hold();
        let now = held.now;
        let Some(last) = messages.last() else {
            return Err(PublishFault::Rejected("the batch has no message".to_owned()));
        };
        let stream = held.taking(&last.subject).ok_or(PublishFault::NoStream)?;
        check_batch(stream, &messages, now)?;
        let mut stored = Err(BATCH_INCOMPLETE);
        for message in messages {
            // A batch expects the end of the stream as it was before its first message.
            stored = stream.store(message, now);
        }
        Ok(stored?)
    }

    pub(super) fn request(&self, stream: &str, consumer: &str, mailbox: &Arc<Mailbox>, batch: u32, expires: Duration) {
        let mut held = self.hold();
        let now = held.now;
        let stream = held.stream(stream).ok().filter(|stream| stream.consumers.contains_key(consumer));
        let Some(stream) = stream else { return mailbox.put(PullEvent::Gone(MISSING.to_owned())) };
        if let Some(consumer) = stream.consumers.get_mut(consumer) {
            consumer.request(mailbox, batch, now.since + expires, now.since);
        }
        stream.serve_one(consumer, now);
    }

    pub(super) fn withdraw(&self, stream: &str, consumer: &str, mailbox: &Arc<Mailbox>) {
        let mut held = self.hold();
        if let Some(consumer) = held.stream(stream).ok().and_then(|stream| stream.consumers.get_mut(consumer)) {
            consumer.withdraw(mailbox);
        }
    }

    /// Delivers what is due to those who wait for a consumer; when they have to look again.
    pub(super) fn look(&self, stream: &str, consumer: &str) -> Option<Duration> {
        let mut held = self.hold();
        let now = held.now;
        let everywhere = held.streams.alarms.next();
        let stream = held.stream(stream).ok()?;
        stream.serve_one(consumer, now);
        let own = stream.consumers.get(consumer)?.next_look()?;
        Some(everywhere.map_or(own, |due| due.min(own)).saturating_sub(now.since))
    }
}

impl Held<'_> {
    /// Lets everything happen that is due.
    fn pass_time(&mut self) {
        let now = self.now;
        let mut told = Vec::new();
        while let Some(name) = self.streams.events.due(now.since).map(str::to_owned) {
            let Some(stream) = self.streams.all.get_mut(&name) else { break };
            stream.pass_time(now);
            told.append(&mut stream.take_advisories());
            self.streams.note_due(&name);
            for advisory in told.drain(..) {
                if let Some(stream) = self.taking(&advisory.subject) {
                    // Nobody learns that there was no room for it, as with a server.
                    let _ = stream.store(advisory, now);
                }
            }
        }
    }

    /// The stream that takes a subject.
    fn taking(&mut self, subject: &str) -> Option<&mut Stream> {
        let taking = self.streams.all.values().find(|stream| stream.takes(subject))?;
        let name = taking.name.clone();
        self.stream(&name).ok()
    }

    /// A stream that may be changed.
    pub(super) fn stream(&mut self, name: &str) -> Result<&mut Stream, Refusal> {
        let stream = self.streams.all.get_mut(name).ok_or(STREAM_NOT_FOUND)?;
        if !self.touched.contains(name) {
            self.touched.insert(name.to_owned());
            stream.forget_ids(self.now);
        }
        Ok(stream)
    }

    /// A stream that is only read.
    pub(super) fn get(&self, name: &str) -> Option<&Stream> {
        self.streams.all.get(name)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Stream> {
        self.streams.all.values()
    }

    pub(super) fn insert(&mut self, stream: Stream) {
        self.touched.insert(stream.name.clone());
        self.streams.all.insert(stream.name.clone(), stream);
    }

    #[cfg(feature = "testing")]
    pub(super) fn remove(&mut self, name: &str) -> Option<Stream> {
        self.touched.insert(name.to_owned());
        self.streams.all.remove(name)
    }

    /// Whether a stream overlaps a pattern, other than one of that name.
    pub(super) fn overlaps(&self, pattern: &Pattern, besides: &str) -> bool {
        self.all().any(|stream| stream.name != besides && stream.overlaps(pattern))
    }
}

impl Streams {
    /// Notes when something is due in a stream.
    fn note_due(&mut self, name: &str) {
        let stream = self.all.get(name);
        self.events.set(name, stream.and_then(Stream::next_event_due));
        self.alarms.set(name, stream.and_then(Stream::next_alarm));
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        for name in std::mem::take(&mut self.touched) {
            if let Some(stream) = self.streams.all.get_mut(&name) {
                stream.serve_freed(self.now);
            }
            self.streams.note_due(&name);
        }
        let due = self.streams.alarms.next();
        if due.is_some_and(|due| self.streams.told.is_none_or(|told| due < told)) {
            self.alarm.notify_waiters();
        }
        self.streams.told = due;
    }
}

/// Refuses a batch of which one message would be refused.
fn check_batch(stream: &Stream, messages: &[Outbound], now: Moment) -> Result<(), Refusal> {
    if !stream.is_atomic() {
        return Err(ATOMIC_DISABLED);
    }
    if !messages.iter().all(|message| stream.takes(&message.subject)) {
        return Err(BATCH_INCOMPLETE);
    }
    let mut ids = HashSet::new();
    let (mut count, mut bytes) = (0, 0);
    for message in messages {
        match count {
            0 => stream.check_expected(message)?,
            _ if message.headers.get(EXPECTED_LAST_SEQUENCE).is_some() => return Err(BATCH_SEQUENCE),
            _ => {}
        }
        if stream.knows(message) || message_id(message).is_some_and(|id| !ids.insert(id)) {
            return Err(BATCH_DUPLICATE);
        }
        stream.check(message, (count, bytes), now)?;
        count += 1;
        bytes += stream.size(message);
    }
    Ok(())
}
