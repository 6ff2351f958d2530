//! The broker: its streams behind one lock.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use natspubsub_grammar::Pattern;
use tokio::sync::Notify;

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
    pub(super) all: BTreeMap<String, Stream>,
    #[cfg(any(test, feature = "testing"))]
    pub(super) stale: super::answers::StaleAnswers,
    due: Option<Duration>,
}

/// The streams as they are at one moment. When it is dropped, consumers have delivered what they may, and those who wait
/// learn what is due.
pub(super) struct Held<'a> {
    pub(super) streams: MutexGuard<'a, Streams>,
    pub(super) now: Moment,
    alarm: &'a Notify,
}

impl Broker {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self { clock, core: Core::default(), streams: Mutex::default(), alarm: Notify::new() }
    }

    /// Everything that was due has happened when this returns.
    pub(super) fn hold(&self) -> Held<'_> {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held = Held { streams, now: Moment::of(&*self.clock), alarm: &self.alarm };
        let now = held.now;
        let mut happened = false;
        for stream in held.streams.all.values_mut() {
            happened |= stream.pass_time(now);
        }
        if happened {
            held.tell();
        }
        held
    }

    /// Rings when something is due earlier than [`Broker::look`] said.
    pub(super) fn alarm(&self) -> &Notify {
        &self.alarm
    }

    pub(super) fn publish(&self, message: Outbound) -> Result<Stored, PublishFault> {
        let mut held = self.hold();
        let now = held.now;
        let stream = held.taking(&message.subject).ok_or(PublishFault::NoStream)?;
        Ok(stream.store(message, now)?)
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
        let consumer = held.stream(stream).ok().and_then(|stream| stream.consumers.get_mut(consumer));
        if let Some(consumer) = consumer {
            consumer.withdraw(mailbox);
        }
    }

    /// Delivers what is due to those who wait for a consumer; when they have to look again.
    pub(super) fn look(&self, stream: &str, consumer: &str) -> Option<Duration> {
        let mut held = self.hold();
        let now = held.now;
        let everywhere = held.due();
        let stream = held.stream(stream).ok()?;
        stream.serve_one(consumer, now);
        let own = stream.consumers.get(consumer)?.next_look()?;
        Some(everywhere.map_or(own, |due| due.min(own)).saturating_sub(now.since))
    }
}

impl Held<'_> {
    /// The stream that takes a subject.
    fn taking(&mut self, subject: &str) -> Option<&mut Stream> {
        let stream = self.streams.all.values_mut().find(|stream| stream.takes(subject))?;
        stream.touch(self.now);
        Some(stream)
    }

    pub(super) fn stream(&mut self, name: &str) -> Result<&mut Stream, Refusal> {
        let stream = self.streams.all.get_mut(name).ok_or(STREAM_NOT_FOUND)?;
        stream.touch(self.now);
        Ok(stream)
    }

    /// Whether a stream overlaps a pattern, other than one of that name.
    pub(super) fn overlaps(&self, pattern: &Pattern, besides: &str) -> bool {
        self.streams.all.values().any(|stream| stream.name != besides && stream.overlaps(pattern))
    }

    /// When something is due that anybody may wait for.
    fn due(&mut self) -> Option<Duration> {
        self.streams.all.values_mut().filter_map(Stream::next_due).min()
    }

    /// Stores what is to be told, for those who listen.
    fn tell(&mut self) {
        loop {
            let told: Vec<Outbound> = self.streams.all.values_mut().flat_map(Stream::take_advisories).collect();
            if told.is_empty() {
                return;
            }
            let now = self.now;
            for advisory in told {
                if let Some(stream) = self.taking(&advisory.subject) {
                    // Nobody learns that there was no room for it, as with a server.
                    let _ = stream.store(advisory, now);
                }
            }
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let now = self.now;
        for stream in self.streams.all.values_mut() {
            stream.serve_freed(now);
        }
        let due = self.due();
        if due.is_some_and(|due| self.streams.due.is_none_or(|known| due < known)) {
            self.alarm.notify_waiters();
        }
        self.streams.due = due;
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
