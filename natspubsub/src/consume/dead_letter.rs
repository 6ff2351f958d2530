//! Dead letters: the original bytes with headers that tell what happened, stored before the original is settled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use super::in_hand::InHand;
use super::settle::DeadReason;
use super::subscriber::Subscriber;
use crate::message::headers::{MESSAGE_ID, dead_letter, header_safe};
use crate::message::{Context, Headers};
use crate::transport::{Outbound, PublishFault, Stored};

/// The error with its causes is cut here.
const ERROR_BYTES_MAX: usize = 4 * 1024;

/// The server refuses more bytes of headers than 64 KiB (10097).
const HEADERS_BYTES_MAX: usize = 60 * 1024;

/// How often the store is tried before the message is given back.
const STORE_ATTEMPTS: u32 = 3;
const STORE_TIMEOUT: Duration = Duration::from_secs(5);
const STORE_PAUSE: Duration = Duration::from_millis(250);

/// A message whose dead letter cannot be stored returns after the first delay, then ever later up to the second.
const UNSTORED_DELAYS: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));

/// What failed, why and when.
pub(super) struct Failed<'a> {
    pub(super) reason: DeadReason,
    pub(super) error: &'a str,
    pub(super) first_failed_at: Timestamp,
    pub(super) failed_at: Timestamp,
}

/// The dead letter of a delivery: its bytes unchanged, its headers kept, the story added.
pub(super) fn letter(subscriber: &Subscriber, hand: &InHand, context: &Context, failed: &Failed<'_>) -> Outbound {
    let received = hand.received();
    let subject = subscriber.shared.namespace.dead_letter_subject(&subscriber.plan.durable, context.topic());
    let story = story(hand, context, failed);
    let mut headers = received.headers.without_control();
    for (name, value) in &story {
        headers.push(*name, value.as_str());
    }
    let whole = Outbound { subject, headers, body: received.body.clone() };
    fit(whole, subscriber.shared.transport.max_payload(), story)
}

fn story(hand: &InHand, context: &Context, failed: &Failed<'_>) -> Vec<(&'static str, String)> {
    let (stream, sequence, durable) = (context.stream(), hand.sequence(), context.durable());
    let mut story = vec![
        (MESSAGE_ID, format!("dlq:{stream}:{sequence}:{durable}")),
        (dead_letter::MARK, "true".to_owned()),
        (dead_letter::REASON, failed.reason.to_string()),
        (dead_letter::ERROR, header_safe(failed.error, ERROR_BYTES_MAX)),
        (dead_letter::ORIGINAL_SUBJECT, context.subject().to_owned()),
        (dead_letter::ORIGINAL_STREAM, stream.to_owned()),
        (dead_letter::ORIGINAL_SEQUENCE, sequence.to_string()),
        (dead_letter::DELIVERIES, context.deliveries().to_string()),
        (dead_letter::CONSUMER, durable.to_owned()),
        (dead_letter::EVENT_ID, header_safe(context.event_id(), ERROR_BYTES_MAX)),
        (dead_letter::FIRST_FAILED_AT, format!("{:.3}", failed.first_failed_at)),
        (dead_letter::FAILED_AT, format!("{:.3}", failed.failed_at)),
    ];
    if let Some(trace_id) = context.trace_id() {
        story.push((dead_letter::TRACE_ID, header_safe(trace_id, ERROR_BYTES_MAX)));
    }
    story
}

/// Makes a letter small enough for the server: without the error text, then without the original's headers, then
/// with a reference in place of the body, which stays in the original's stream.
fn fit(mut letter: Outbound, limit: usize, mut story: Vec<(&'static str, String)>) -> Outbound {
    let fits = |letter: &Outbound| letter.size() <= limit && letter.headers.wire_size() <= HEADERS_BYTES_MAX;
    if fits(&letter) {
        return letter;
    }
    let shorter = letter.headers.iter().filter(|(name, _)| *name != dead_letter::ERROR);
    letter.headers = shorter.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    if fits(&letter) {
        return letter;
    }
    story.retain(|(name, _)| *name != dead_letter::ERROR);
    letter.headers = story.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Headers>();
    if letter.size() > limit {
        let size = letter.body.len();
        letter.body = Bytes::new();
        letter.headers.push(dead_letter::BODY_OMITTED, size.to_string());
    }
    letter
}

/// Stores a letter and waits for the confirmation; the fault of the last attempt otherwise.
pub(super) async fn store(subscriber: &Subscriber, letter: Outbound) -> Result<Stored, String> {
    let mut attempt = 1;
    loop {
        let fault = match subscriber.shared.transport.publish(letter.clone(), STORE_TIMEOUT).await {
            Ok(stored) if stored.stream == subscriber.shared.namespace.dead_letter_stream() => return Ok(stored),
            Ok(stored) => {
                format!("the stream {:?} took the dead letter, which is not the dead-letter stream", stored.stream)
            }
            Err(PublishFault::NoStream) => "the dead-letter stream is missing or has no leader".to_owned(),
            Err(PublishFault::Rejected(fault) | PublishFault::Unknown(fault)) => fault,
        };
        if attempt >= STORE_ATTEMPTS {
            return Err(fault);
        }
        attempt += 1;
        subscriber.shared.clock.sleep(STORE_PAUSE).await;
    }
}

/// What is remembered between the deliveries of a message that failed: a restart forgets it and loses nothing.
#[derive(Debug, Default)]
pub(super) struct FailureMemory {
    messages: Mutex<BTreeMap<Key, Remembered>>,
    /// Messages that cannot be read and lie in the dead letters: a search may find them again.
    unreadable: Mutex<BTreeSet<Key>>,
}

/// The sequence alone is not enough: a stream that is made again starts at 1.
type Key = (u64, Timestamp);

#[derive(Debug)]
struct Remembered {
    first_failed_at: Timestamp,
    unstored: Option<Unstored>,
}

/// A dead letter that could not be stored.
#[derive(Debug, Clone)]
pub(super) struct Unstored {
    pub(super) reason: DeadReason,
    pub(super) error: String,
    delay: Duration,
}

impl FailureMemory {
    /// Beyond this many, the oldest message is forgotten: it was probably finished by another process.
    const MESSAGES_MAX: usize = 10_000;

    fn messages(&self) -> MutexGuard<'_, BTreeMap<Key, Remembered>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(messages: &mut BTreeMap<Key, Remembered>, key: Key, now: Timestamp) -> &mut Remembered {
        if !messages.contains_key(&key) && messages.len() >= Self::MESSAGES_MAX {
            messages.pop_first();
        }
        messages.entry(key).or_insert(Remembered { first_failed_at: now, unstored: None })
    }

    /// When the message failed first.
    pub(super) fn note_failure(&self, hand: &InHand, now: Timestamp) -> Timestamp {
        Self::remember(&mut self.messages(), key(hand), now).first_failed_at
    }

    /// Remembers a dead letter that could not be stored, and says when to try again.
    pub(super) fn note_unstored(&self, hand: &InHand, reason: DeadReason, error: String, now: Timestamp) -> Duration {
        let (first, longest) = UNSTORED_DELAYS;
        let mut messages = self.messages();
        let remembered = Self::remember(&mut messages, key(hand), now);
        let delay = remembered.unstored.as_ref().map_or(first, |unstored| (unstored.delay * 2).min(longest));
        remembered.unstored = Some(Unstored { reason, error, delay });
        delay
    }

    /// The dead letter that an earlier delivery of the message could not store.
    pub(super) fn unstored(&self, hand: &InHand) -> Option<Unstored> {
        self.messages().get(&key(hand))?.unstored.clone()
    }

    /// Notes that the dead letter of a message that cannot be read is stored.
    pub(super) fn note_unreadable(&self, hand: &InHand) {
        let mut unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        if unreadable.len() >= Self::MESSAGES_MAX {
            unreadable.pop_first();
        }
        unreadable.insert(key(hand));
    }

    /// Whether such a message was found before.
    pub(super) fn is_known_unreadable(&self, hand: &InHand) -> bool {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).contains(&key(hand))
    }

    pub(super) fn forget(&self, hand: &InHand) {
        self.messages().remove(&key(hand));
    }
}

fn key(hand: &InHand) -> Key {
    (hand.sequence(), hand.received().stored_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter_of(headers: usize, body: usize) -> (Outbound, Vec<(&'static str, String)>) {
        let story = vec![(dead_letter::REASON, "exhausted".to_owned()), (dead_letter::ERROR, "e".repeat(400))];
        let mut all = Headers::default();
        all.push("x-own", "h".repeat(headers));
        for (name, value) in &story {
            all.push(*name, value.as_str());
        }
        (Outbound { subject: "s".into(), headers: all, body: vec![7; body].into() }, story)
    }

    #[test]
    fn a_letter_that_fits_is_whole() {
        let (letter, story) = letter_of(100, 100);
        let fitted = fit(letter.clone(), 10_000, story);
        assert_eq!((fitted.headers, fitted.body), (letter.headers, letter.body));
    }

    #[test]
    fn a_letter_that_does_not_fit_loses_the_least_that_helps() {
        for (limit, error, own, body) in [(900, false, true, 500), (700, false, false, 500), (200, false, false, 0)] {
            let (letter, story) = letter_of(300, 500);
            let fitted = fit(letter, limit, story);
            assert!(fitted.size() <= limit, "{} > {limit}", fitted.size());
            assert_eq!(fitted.headers.get(dead_letter::ERROR).is_some(), error);
            assert_eq!(fitted.headers.get("x-own").is_some(), own, "{limit}");
            assert_eq!(fitted.body.len(), body);
            assert_eq!(fitted.headers.get(dead_letter::BODY_OMITTED).is_some(), body == 0);
            assert_eq!(fitted.headers.get(dead_letter::REASON), Some("exhausted"));
        }
    }

    fn hand(sequence: u64) -> InHand {
        let received = crate::transport::Received {
            subject: "s".into(),
            headers: Headers::default(),
            body: Bytes::new(),
            sequence,
            deliveries: 1,
            stored_at: Timestamp::UNIX_EPOCH,
            token: String::new(),
            fault: None,
        };
        InHand::new(0, 0, received, Duration::from_secs(30), Duration::ZERO)
    }

    #[test]
    fn an_unstored_letter_is_remembered_with_growing_delays() {
        let memory = FailureMemory::default();
        let (now, hand) = (Timestamp::UNIX_EPOCH, hand(7));
        let delays: Vec<u64> =
            (0..6).map(|_| memory.note_unstored(&hand, DeadReason::Crash, "e".into(), now).as_secs()).collect();
        assert_eq!(delays, [30, 60, 120, 240, 480, 600]);
        assert_eq!(memory.unstored(&hand).unwrap().reason, DeadReason::Crash);
        memory.forget(&hand);
        assert!(memory.unstored(&hand).is_none());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
        let memory = FailureMemory::default();
        for sequence in 0..=10_000 {
            memory.note_unstored(&hand(sequence), DeadReason::Crash, String::new(), Timestamp::UNIX_EPOCH);
        }
        assert_eq!(memory.messages().len(), 10_000);
        assert!(memory.unstored(&hand(0)).is_none() && memory.unstored(&hand(10_000)).is_some());
    }
}
