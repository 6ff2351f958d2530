//! Dead letters: the original bytes with headers that tell what happened, stored before the original is settled.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use super::settle::DeadReason;
use super::subscriber::Shared;
use crate::message::Headers;
use crate::message::headers::{MESSAGE_ID, dead_letter, header_safe};
use crate::transport::{CONSUMING_LANE, Outbound, PublishFault, Received, Stored};

/// The error with its causes is cut here.
const ERROR_BYTES_MAX: usize = 4 * 1024;

/// The server refuses more bytes of headers than 64 KiB (10097).
const HEADERS_BYTES_MAX: usize = 60 * 1024;

/// How often the store is tried before the message is given back.
const STORE_ATTEMPTS: u32 = 3;
const STORE_TIMEOUT: Duration = Duration::from_secs(5);
const STORE_PAUSE: Duration = Duration::from_millis(250);

/// What failed, why and when.
pub(super) struct Failed<'a> {
    pub(super) reason: DeadReason,
    pub(super) error: &'a str,
    pub(super) first_failed_at: Timestamp,
    pub(super) failed_at: Timestamp,
}

/// The message that a letter is about.
pub(super) struct Original<'a> {
    pub(super) received: &'a Received,
    pub(super) stream: &'a str,
    pub(super) durable: &'a str,
    pub(super) topic: &'a str,
    pub(super) event_id: &'a str,
    pub(super) trace_id: Option<&'a str>,
    /// Whether its body lies in an envelope.
    pub(super) envelope: bool,
    /// Whether it stays in its stream when it is answered.
    pub(super) retained: bool,
}

/// A dead letter on its way to its stream.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    outbound: Outbound,
    /// The message id for when a message of an earlier stream of the same name has taken the usual one.
    other_id: String,
    /// The body is nowhere once the original is answered.
    loses_body: bool,
}

impl Letter {
    /// The dead letter of a message: its bytes unchanged, its headers kept, the story added.
    pub(super) fn of(shared: &Shared, original: &Original<'_>, failed: &Failed<'_>) -> Self {
        let subject = shared.namespace.dead_letter_subject(original.durable, original.topic);
        let story = story(original, failed);
        // A letter of a replayed message tells its last story only.
        let own = original.received.headers.without_control();
        let own = own.iter().filter(|(name, _)| !dead_letter::is_story(name));
        let mut headers: Headers = own.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        for (name, value) in &story {
            headers.push(*name, value.as_str());
        }
        let whole = Outbound { subject, headers, body: original.received.body.clone() };
        let other_id = format!("{}:{}", id(original), original.received.stored_at.as_nanosecond());
        let outbound = fit(whole, shared.transport.max_payload(), story);
        let loses_body = !original.retained && outbound.headers.get(dead_letter::BODY_OMITTED).is_some();
        Self { outbound, other_id, loses_body }
    }

    /// Whether a stored message is this letter.
    fn is(&self, stored: &Received) -> bool {
        let event_id = |headers: &Headers| headers.get(dead_letter::EVENT_ID).map(str::to_owned);
        stored.body == self.outbound.body && event_id(&stored.headers) == event_id(&self.outbound.headers)
    }

    fn take_other_id(&mut self) {
        let headers = self.outbound.headers.iter().filter(|(name, _)| *name != MESSAGE_ID);
        let mut headers: Headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        headers.push(MESSAGE_ID, self.other_id.as_str());
        self.outbound.headers = headers;
    }
}

fn id(original: &Original<'_>) -> String {
    format!("dlq:{}:{}:{}", original.stream, original.received.sequence, original.durable)
}

fn story(original: &Original<'_>, failed: &Failed<'_>) -> Vec<(&'static str, String)> {
    let Original { received, stream, durable, .. } = original;
    let sequence = received.sequence;
    let mut story = vec![
        (MESSAGE_ID, id(original)),
        (dead_letter::MARK, "true".to_owned()),
        (dead_letter::REASON, failed.reason.to_string()),
        (dead_letter::ERROR, header_safe(failed.error, ERROR_BYTES_MAX)),
        (dead_letter::ORIGINAL_SUBJECT, received.subject.clone()),
        (dead_letter::ORIGINAL_STREAM, (*stream).to_owned()),
        (dead_letter::ORIGINAL_SEQUENCE, sequence.to_string()),
        (dead_letter::DELIVERIES, received.deliveries.to_string()),
        (dead_letter::CONSUMER, (*durable).to_owned()),
        (dead_letter::EVENT_ID, header_safe(original.event_id, ERROR_BYTES_MAX)),
        (dead_letter::FIRST_FAILED_AT, format!("{:.3}", failed.first_failed_at)),
        (dead_letter::FAILED_AT, format!("{:.3}", failed.failed_at)),
    ];
    if let Some(trace_id) = original.trace_id {
        story.push((dead_letter::TRACE_ID, header_safe(trace_id, ERROR_BYTES_MAX)));
    }
    if !original.envelope {
        story.push((dead_letter::ENVELOPE, dead_letter::NO_ENVELOPE.to_owned()));
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
pub(super) async fn store(shared: &Shared, mut letter: Letter) -> Result<Stored, String> {
    if letter.loses_body {
        return Err("the message is too large for a dead letter, and its stream deletes what is answered".to_owned());
    }
    let mut attempt = 1;
    loop {
        let fault = match shared.transport.publish(CONSUMING_LANE, &letter.outbound, STORE_TIMEOUT).await {
            Ok(stored) if stored.stream != shared.namespace.dead_letter_stream() => {
                format!("the stream {:?} took the dead letter, which is not the dead-letter stream", stored.stream)
            }
            Ok(stored) if stored.duplicate => match shared.transport.stored(&stored.stream, stored.sequence).await {
                Ok(Some(earlier)) if letter.is(&earlier) => return Ok(stored),
                // The numbers of a stream that was deleted and made again begin anew.
                Ok(_) => {
                    letter.take_other_id();
                    "another dead letter has its message id".to_owned()
                }
                Err(error) => crate::error::chain(&error),
            },
            Ok(stored) => return Ok(stored),
            Err(PublishFault::NoStream) => "the dead-letter stream is missing or has no leader".to_owned(),
            Err(PublishFault::Denied(subject)) => format!("permission denied for {subject}"),
            Err(PublishFault::NotConnected(limit)) => format!("no connection within {limit:?}"),
            Err(PublishFault::Rejected(fault) | PublishFault::Busy(fault) | PublishFault::Unknown(fault)) => fault,
        };
        if attempt >= STORE_ATTEMPTS {
            return Err(fault);
        }
        attempt += 1;
        shared.clock.sleep(STORE_PAUSE).await;
    }
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
}
