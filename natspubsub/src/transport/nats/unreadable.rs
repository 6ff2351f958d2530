//! Stored messages that the client library cannot read.
//!
//! The server stores headers that are not UTF-8, have no colon or a space in their name; async-nats drops the whole
//! connection when such a message is delivered, and after `ack_wait` it is delivered again (seen with 0.51). The raw
//! message is also served as JSON, where its bytes do no harm: after each reconnect the messages that a consumer has
//! delivered and nobody has answered are looked through.

use async_nats::{HeaderName, HeaderValue, StatusCode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::StreamExt;
use jiff::Timestamp;
use natspubsub_grammar::Pattern;
use serde::Deserialize;

use super::api::{self, Pending};
use super::link::Link;
use crate::error::Result;
use crate::message::Headers;
use crate::transport::ack_subject::AckSubject;
use crate::transport::port::Received;

/// The most messages that are looked at, the newest first: what broke the connection was delivered last.
const LOOK_MAX: u64 = 2_000;

/// Requests on their way at once: a reconnect must not wait for each.
const LOOKS_AT_ONCE: usize = 64;

/// A stored message as the JetStream API gives it.
#[derive(Debug, Deserialize)]
pub(super) struct Stored {
    subject: String,
    seq: u64,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
    time: Timestamp,
}

/// The messages of a consumer that were delivered, not answered, and cannot be read.
pub(super) async fn unreadable(link: &Link, stream: &str, consumer: &str) -> Result<Vec<Received>> {
    let Some(Pending { answered, delivered, unanswered, filters, .. }) = api::pending(link, stream, consumer).await?
    else {
        return Ok(Vec::new());
    };
    let filters = filters.iter().map(|filter| Pattern::system(filter)).collect::<Result<Vec<_>, _>>()?;
    // Between its own messages lie those of others on the same stream.
    let is_own = |subject: &str| filters.is_empty() || filters.iter().any(|filter| filter.matches(subject));
    let mut found = Vec::new();
    if unanswered == 0 {
        return Ok(found);
    }
    let first = delivered.saturating_sub(LOOK_MAX).max(answered) + 1;
    let looks = (first..=delivered).map(|sequence| api::message(link, stream, sequence));
    let mut looks = futures::stream::iter(looks).buffered(LOOKS_AT_ONCE);
    while let Some(stored) = looks.next().await {
        let Some(stored) = stored? else { continue };
        if stored.headers().is_err() && is_own(&stored.subject) {
            let (sequence, stored_at) = (stored.seq, stored.time);
            let token = AckSubject { stream, consumer, deliveries: 1, sequence, stored_at, backlog: 0 }.write(1);
            found.push(stored.received(token));
        }
    }
    Ok(found)
}

impl Stored {
    /// The headers, or why the client could not read them.
    fn headers(&self) -> Result<Headers, String> {
        if self.hdrs.is_empty() {
            return Ok(Headers::default());
        }
        let bytes = BASE64_STANDARD.decode(&self.hdrs).map_err(|_| "the headers are no base64".to_owned())?;
        read_headers(&bytes)
    }

    /// The message as a delivery that is answered by `token`.
    pub(super) fn received(self, token: String) -> Received {
        let (headers, fault) = match self.headers() {
            Ok(headers) => (headers, None),
            Err(fault) => (Headers::default(), Some(fault)),
        };
        Received {
            subject: self.subject,
            headers,
            body: BASE64_STANDARD.decode(&self.data).map(Bytes::from).unwrap_or_default(),
            sequence: self.seq,
            deliveries: 1,
            stored_at: self.time,
            backlog: 0,
            token,
            fault,
        }
    }
}

/// The rules by which async-nats reads headers.
fn read_headers(bytes: &[u8]) -> Result<Headers, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "a header is not UTF-8".to_owned())?;
    let mut lines = text.lines().peekable();
    let Some(status) = lines.next().and_then(|version| version.strip_prefix("NATS/1.0")) else {
        return Err("the headers do not begin with NATS/1.0".to_owned());
    };
    let code = status.trim().split(' ').next().unwrap_or_default();
    if !code.is_empty() && code.parse::<StatusCode>().is_err() {
        return Err(format!("the status {code:?} is not a number"));
    }
    let mut headers = Headers::default();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let Some((name, value)) = line.split_once(':') else { return Err("a header has no colon".to_owned()) };
        if name.parse::<HeaderName>().is_err() {
            return Err(format!("the header name {name:?} is not a token"));
        }
        let mut value = value.trim_start().to_owned();
        // A line that begins with white space continues the value.
        while let Some(more) = lines.next_if(|line| line.starts_with(char::is_whitespace)) {
            value.push(' ');
            value.push_str(more.trim());
        }
        if value.parse::<HeaderValue>().is_err() {
            return Err(format!("the value of header {name:?} cannot be read"));
        }
        headers.push(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_the_client_reads_them() {
        for fine in ["NATS/1.0\r\n\r\n", "NATS/1.0\r\na: b\r\nc:d\r\n e\r\n\r\n", "NATS/1.0 503\r\n\r\n"] {
            assert!(read_headers(fine.as_bytes()).is_ok(), "{fine:?}");
        }
        let headers = read_headers(b"NATS/1.0\r\na: b\r\nc:d\r\n e\r\na: f\r\n\r\n").unwrap();
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("a", "b"), ("c", "d e"), ("a", "f")]);
        for (bad, text) in [
            (&b"NATS/1.0\r\nno colon\r\n\r\n"[..], "no colon"),
            (b"NATS/1.0\r\na b: c\r\n\r\n", "not a token"),
            (b"NATS/1.0\r\na: \xff\r\n\r\n", "UTF-8"),
            (b"HTTP/1.0\r\n\r\n", "NATS/1.0"),
            (b"NATS/1.0 abc\r\n\r\n", "status"),
            (b"NATS/1.0\r\n a: b\r\n\r\n", "not a token"),
        ] {
            assert!(read_headers(bad).unwrap_err().contains(text), "{bad:?}");
        }
    }
}
