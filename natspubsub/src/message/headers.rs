//! Headers: every name that the wire format uses, and the rules for a user's own.

use std::borrow::Cow;

use crate::error::{Error, ErrorKind, Result};

/// The server's message id: the same id twice inside the duplicate window is stored once. Exact case.
pub(crate) const MESSAGE_ID: &str = "Nats-Msg-Id";
/// W3C trace context.
pub(crate) const TRACEPARENT: &str = "traceparent";
/// What systems add to it.
pub(crate) const TRACESTATE: &str = "tracestate";
/// W3C Baggage: what a trace takes along, with the setting `baggage`.
pub(crate) const BAGGAGE: &str = "baggage";
/// Store only if the last message of the stream has this number.
pub(crate) const EXPECTED_LAST_SEQUENCE: &str = "Nats-Expected-Last-Sequence";
/// How long the stream keeps this message (nats-server 2.11).
pub(crate) const TTL: &str = "Nats-TTL";
/// When the server publishes this message (nats-server 2.12).
pub(crate) const SCHEDULE: &str = "Nats-Schedule";
/// How long the stream keeps it from then on.
pub(crate) const SCHEDULE_TTL: &str = "Nats-Schedule-TTL";
/// The subject that it publishes it to.
pub(crate) const SCHEDULE_TARGET: &str = "Nats-Schedule-Target";
/// Why a responder could not answer, as NATS services say it.
pub(crate) const SERVICE_ERROR: &str = "Nats-Service-Error";
/// The same as a number.
pub(crate) const SERVICE_ERROR_CODE: &str = "Nats-Service-Error-Code";
/// Written with `wire_headers = "full"`.
pub(crate) const TOPIC: &str = "topic";
/// Written with `wire_headers = "full"`.
pub(crate) const PUBLISHED_AT: &str = "Nats-Published-At";
/// Written with `wire_headers = "full"` and where there is no envelope, read always.
pub(crate) const TRACE_ID: &str = "trace_id";
/// The media type of the body. Where it is not JSON, there is no envelope.
pub(crate) const CONTENT_TYPE: &str = "Content-Type";
/// `gzip` when the body is compressed.
pub(crate) const CONTENT_ENCODING: &str = "Content-Encoding";

/// What an envelope would say, on a message without one.
pub(crate) mod bare {
    /// Only where the message id is another.
    pub(crate) const EVENT_ID: &str = "x-event-id";
    pub(crate) const OCCURRED_AT: &str = "x-occurred-at";
    pub(crate) const CORRELATION_ID: &str = "x-correlation-id";
    pub(crate) const CAUSATION_ID: &str = "x-causation-id";
}

/// The headers that a dead letter carries.
pub(crate) mod dead_letter {
    pub(crate) const MARK: &str = "x-dead-letter";
    pub(crate) const REASON: &str = "x-dlq-reason";
    pub(crate) const ERROR: &str = "x-dlq-error";
    pub(crate) const ORIGINAL_SUBJECT: &str = "x-original-subject";
    pub(crate) const ORIGINAL_STREAM: &str = "x-original-stream";
    pub(crate) const ORIGINAL_SEQUENCE: &str = "x-original-sequence";
    pub(crate) const DELIVERIES: &str = "x-deliveries";
    pub(crate) const CONSUMER: &str = "x-consumer";
    pub(crate) const EVENT_ID: &str = super::bare::EVENT_ID;
    pub(crate) const FIRST_FAILED_AT: &str = "x-first-failed-at";
    pub(crate) const FAILED_AT: &str = "x-failed-at";
    pub(crate) const TRACE_ID: &str = "x-trace-id";
    /// `none` when all of the body is the payload.
    pub(crate) const ENVELOPE: &str = "x-original-envelope";
    pub(crate) const NO_ENVELOPE: &str = "none";
    /// Bytes of a body that did not fit and stays in the stream of the original.
    pub(crate) const BODY_OMITTED: &str = "x-dlq-body-omitted";

    /// Whether a header tells what happened to the message, rather than being its own.
    pub(crate) fn is_story(name: &str) -> bool {
        const STORY: [&str; 14] = [
            MARK,
            REASON,
            ERROR,
            ORIGINAL_SUBJECT,
            ORIGINAL_STREAM,
            ORIGINAL_SEQUENCE,
            DELIVERIES,
            CONSUMER,
            EVENT_ID,
            FIRST_FAILED_AT,
            FAILED_AT,
            TRACE_ID,
            ENVELOPE,
            BODY_OMITTED,
        ];
        STORY.iter().any(|story| story.eq_ignore_ascii_case(name))
    }
}

/// The headers of a message that was a dead letter and runs again.
pub(crate) mod replay {
    /// How often.
    pub(crate) const COUNT: &str = "x-replay";
    /// The durable that runs it; others pass over it.
    pub(crate) const CONSUMER: &str = "x-replay-consumer";
    /// The event's id, where the message id is another.
    pub(crate) const EVENT_ID: &str = "x-replay-event-id";

    pub(crate) fn is_replay(name: &str) -> bool {
        [COUNT, CONSUMER, EVENT_ID].iter().any(|header| header.eq_ignore_ascii_case(name))
    }
}

/// Headers whose names start so are commands to the server (`Nats-Rollup` can wipe a stream).
const CONTROL_PREFIX: &str = "nats-";

/// What clients of other languages read the status of the server from, when a message has it as a header.
const STATUS_NAMES: [&str; 2] = ["Status", "Description"];

const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 8 * 1024;
const ALL_HEADERS_BYTES_MAX: usize = 32 * 1024;

/// The headers of a message: names with values, in the order in which they were written.
///
/// As an argument of a handler it receives the headers of the message.
///
/// ```
/// use natspubsub::prelude::*;
///
/// #[topic_subscriber("order.created")]
/// async fn audit(order: serde_json::Value, headers: Headers) {
///     println!("{order} {:?}", headers.get("x-request-id"));
/// }
/// # fn main() {}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// A name of the wire format is a constant and costs no allocation.
    entries: Vec<(Cow<'static, str>, String)>,
}

impl Headers {
    /// The first value of a header, whatever the case of its name.
    ///
    /// ```
    /// assert_eq!(natspubsub::Headers::default().get("x-request-id"), None);
    /// ```
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Every header, in order.
    ///
    /// ```
    /// assert_eq!(natspubsub::Headers::default().iter().count(), 0);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(name, value)| (&**name, value.as_str()))
    }

    /// Whether there are none.
    ///
    /// ```
    /// assert!(natspubsub::Headers::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a header of the wire format; the caller vouches for name and value.
    pub(crate) fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.entries.push((Cow::Owned(name.into()), value.into()));
    }

    /// Adds a header whose name is a constant of the wire format.
    pub(crate) fn push_own(&mut self, name: &'static str, value: impl Into<String>) {
        if self.entries.is_empty() {
            // Most often it is the only one.
            self.entries.reserve_exact(1);
        }
        self.entries.push((Cow::Borrowed(name), value.into()));
    }

    /// Adds a header of a received message: most names are those of the wire format.
    pub(crate) fn push_received(&mut self, name: &str, value: &str) {
        const USUAL: [&str; 6] = [MESSAGE_ID, TRACEPARENT, TRACESTATE, CONTENT_TYPE, TOPIC, PUBLISHED_AT];
        let name = match USUAL.iter().find(|usual| **usual == name) {
            Some(usual) => Cow::Borrowed(*usual),
            None => Cow::Owned(name.to_owned()),
        };
        // Most messages have one header, the message id.
        self.entries.reserve_exact(1);
        self.entries.push((name, value.to_owned()));
    }

    /// Takes a header out, whatever the case of its name.
    pub(crate) fn remove(&mut self, name: &str) {
        self.entries.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
    }

    /// The bytes that the headers take on the wire.
    pub(crate) fn wire_size(&self) -> usize {
        const FRAME: usize = "NATS/1.0\r\n\r\n".len();
        if self.is_empty() {
            return 0;
        }
        self.entries.iter().map(|(name, value)| name.len() + value.len() + ": \r\n".len()).sum::<usize>() + FRAME
    }

    /// Refuses what a user must not send: control headers, line breaks, too many, too large.
    pub(crate) fn check_user(&self) -> Result<()> {
        let refuse = |text: String| Err(Error::new(ErrorKind::InvalidHeader, text));
        if self.entries.len() > HEADERS_MAX {
            return refuse(format!("{} headers are more than {HEADERS_MAX}", self.entries.len()));
        }
        for (name, value) in self.iter() {
            let is_token = |b: u8| b.is_ascii_graphic() && b != b':';
            if name.is_empty() || !name.bytes().all(is_token) {
                return refuse(format!("header name {name:?} is not a token; use letters, digits and `-`"));
            }
            if name.len() >= CONTROL_PREFIX.len() && name[..CONTROL_PREFIX.len()].eq_ignore_ascii_case(CONTROL_PREFIX) {
                return refuse(format!(
                    "header {name:?} starts with \"Nats-\", which commands the server; choose another name"
                ));
            }
            if STATUS_NAMES.iter().any(|status| name.eq_ignore_ascii_case(status)) {
                return refuse(format!(
                    "header {name:?} is where clients find the status of the server; choose another name"
                ));
            }
            if value.contains(['\r', '\n', '\0']) {
                return refuse(format!("the value of header {name:?} contains a line break or NUL"));
            }
            if value.len() > HEADER_BYTES_MAX {
                return refuse(format!(
                    "the value of header {name:?} has {} bytes, more than {HEADER_BYTES_MAX}",
                    value.len()
                ));
            }
        }
        if self.wire_size() > ALL_HEADERS_BYTES_MAX {
            return refuse(format!("the headers have {} bytes, more than {ALL_HEADERS_BYTES_MAX}", self.wire_size()));
        }
        Ok(())
    }

    /// The headers without those that command the server.
    pub(crate) fn without_control(&self) -> Self {
        let is_control = |name: &str| {
            name.len() >= CONTROL_PREFIX.len() && name[..CONTROL_PREFIX.len()].eq_ignore_ascii_case(CONTROL_PREFIX)
        };
        Self { entries: self.entries.iter().filter(|(name, _)| !is_control(name)).cloned().collect() }
    }
}

impl FromIterator<(String, String)> for Headers {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(entries: I) -> Self {
        Self { entries: entries.into_iter().map(|(name, value)| (Cow::Owned(name), value)).collect() }
    }
}

/// A text that fits a header: one line of printable characters, at most `limit` bytes.
pub(crate) fn header_safe(text: &str, limit: usize) -> String {
    let mut safe = String::with_capacity(text.len().min(limit));
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        if safe.len() + c.len_utf8() > limit {
            break;
        }
        safe.push(c);
    }
    safe.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> Headers {
        [(name.to_owned(), value.to_owned())].into_iter().collect()
    }

    #[test]
    fn users_cannot_command_the_server_or_break_the_protocol() {
        for (name, value) in [
            ("Nats-Rollup", "all"),
            ("nAtS-x", "1"),
            ("status", "503"),
            ("Description", "No Responders"),
            ("a b", "1"),
            ("", "1"),
            ("a:b", "1"),
            ("a", "x\r\ny"),
            ("a", "\0"),
        ] {
            assert!(one(name, value).check_user().is_err(), "{name:?}: {value:?}");
        }
        assert!(one("x-request-id", "gr\u{fc}n").check_user().is_ok());
    }

    #[test]
    fn sizes_are_limited() {
        assert!(one("a", &"x".repeat(8 * 1024)).check_user().is_ok());
        assert!(one("a", &"x".repeat(8 * 1024 + 1)).check_user().is_err());
        let many: Headers = (0..65).map(|n| (format!("h{n}"), String::new())).collect();
        assert!(many.check_user().is_err());
        let large: Headers = (0..5).map(|n| (format!("h{n}"), "x".repeat(8_000))).collect();
        assert!(large.check_user().is_err());
    }

    #[test]
    fn header_texts_are_one_line_and_cut_between_characters() {
        assert_eq!(header_safe("a\r\nb\0c", 100), "a  b c");
        assert_eq!(header_safe("\u{e4}\u{e4}\u{e4}", 5), "\u{e4}\u{e4}");
    }
}
