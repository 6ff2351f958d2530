//! One confirmed publish.

use std::time::Duration;

use async_nats::header::{HeaderName, HeaderValue};
use async_nats::{HeaderMap, Subject};
use bytes::Bytes;
use bytestring::ByteString;
use futures::FutureExt;

use super::confirmation::read;
use super::framing::{is_one_word, one_word};
use super::link::{self, Link, Unanswered};
use super::send;
use crate::error::{Error, ErrorKind, Result};
use crate::message::Headers;
use crate::transport::port::{Confirmation, Outbound, PublishFault, Stored};

const BATCH_ID: &str = "Nats-Batch-Id";
const BATCH_SEQUENCE: &str = "Nats-Batch-Sequence";
const BATCH_COMMIT: &str = "Nats-Batch-Commit";

pub(super) async fn publish(link: &Link, message: &Outbound, limit: Duration) -> Result<Stored, PublishFault> {
    let headers = header_map(&message.headers);
    let (subject, body) = (message.subject.as_str().into(), message.body.clone());
    let reply = link.exchange(subject, headers, body, limit).await.map_err(fault)?;
    read(&reply.payload)
}

/// The same without waiting to be written; `None` when it would have to wait.
pub(super) fn hand_over<'a>(link: &'a Link, message: &Outbound, limit: Duration) -> Option<Confirmation<'a>> {
    let written = || (message.subject.as_str().into(), header_map(&message.headers), message.body.clone());
    let mut awaited = link.try_hand_over(written, limit)?;
    Some(Box::pin(async move {
        match link::answered(awaited.reply().await, limit) {
            Ok(message) => read(&message.payload),
            Err(unanswered) => Err(fault(unanswered)),
        }
    }))
}

/// The protocol of ADR-50: the messages carry the id and their number, the last one commits. The server answers the first
/// with nothing, or with why it takes no batch, and the last with what became of them all.
pub(super) async fn publish_atomic(
    link: &Link,
    id: &str,
    messages: Vec<Outbound>,
    limit: Duration,
) -> Result<Stored, PublishFault> {
    let count = messages.len();
    let subjects: Vec<String> = messages.iter().map(|message| message.subject.clone()).collect();
    let mut stored = Err(PublishFault::Rejected("the batch has no message".to_owned()));
    for (number, message) in (1..).zip(messages) {
        let mut headers = header_map(&message.headers);
        headers.insert(BATCH_ID, id);
        headers.insert(BATCH_SEQUENCE, number.to_string());
        let subject = one_word(message.subject).map_err(|error| PublishFault::Rejected(error.to_string()))?;
        let is_last = number == count;
        if is_last {
            headers.insert(BATCH_COMMIT, "1");
        }
        if is_last || number == 1 {
            let reply = link.exchange(subject, headers, message.body, limit).await;
            // Nothing is stored before the last message.
            let reply = reply.map_err(fault).map_err(|fault| if is_last { fault } else { fault.certain() })?;
            if !reply.payload.is_empty() || is_last {
                stored = read(&reply.payload);
            }
            if let (Err(_), false) = (&stored, is_last || reply.payload.is_empty()) {
                return stored;
            }
        } else {
            let sent = send("a message of a batch", link.client.publish_with_headers(subject, headers, message.body));
            sent.await.map_err(|error| PublishFault::Rejected(crate::error::chain(&error)))?;
        }
    }
    // A denied message in the middle has no reply of its own; the server then misses it in the batch.
    let denied = || subjects.iter().find_map(|subject| link.denials().find(subject)).map(PublishFault::Denied);
    stored.map_err(|fault| if matches!(fault, PublishFault::Rejected(_)) { denied().unwrap_or(fault) } else { fault })
}

/// Hands a message to the connection that nobody stores.
pub(super) async fn publish_core(link: &Link, message: Outbound) -> Result<()> {
    let Outbound { subject, headers, body } = message;
    if !link.is_connected() {
        return Err(Error::new(ErrorKind::Connect, format!("the message for {subject} was not sent: no connection")));
    }
    let (client, subject, headers) = (&link.client, one_word(subject)?, header_map(&headers));
    match headers.is_empty() {
        true => send("a message", client.publish(subject, body)).await,
        false => send("a message", client.publish_with_headers(subject, headers, body)).await,
    }
}

/// The same where nothing has to be waited for: a message in a future of its own costs as much as the rest.
pub(super) fn try_publish_core(
    link: &Link,
    subject: ByteString,
    headers: &Headers,
    body: &Bytes,
) -> Option<Result<()>> {
    if !link.is_connected() || !is_one_word(&subject) {
        return None;
    }
    let (client, subject, body) = (&link.client, Subject::from_utf8(subject.into_bytes()).ok()?, body.clone());
    // A future that waits for room and is dropped has sent nothing.
    let sent = match headers.is_empty() {
        true => client.publish(subject, body).now_or_never()?,
        false => client.publish_with_headers(subject, header_map(headers), body).now_or_never()?,
    };
    Some(sent.map_err(|error| Error::new(ErrorKind::Server, "a message could not be sent").with_source(error)))
}

/// Sends a request that nobody stores.
pub(super) async fn request(link: &Link, message: Outbound, limit: Duration) -> Result<Outbound> {
    let (subject, headers) = (message.subject, header_map(&message.headers));
    let reply = link.exchange(subject.as_str().into(), headers, message.body, limit).await;
    let reply = reply.map_err(|unanswered| match unanswered {
        Unanswered::NoResponders => {
            Error::new(ErrorKind::NoResponders, format!("nobody answers requests on {subject}"))
        }
        Unanswered::Late(limit) => {
            Error::new(ErrorKind::Timeout, format!("no reply to the request on {subject} within {limit:?}"))
        }
        other => other.error(&format!("the request on {subject}")),
    })?;
    Ok(Outbound {
        subject: reply.subject.to_string(),
        headers: read_headers(reply.headers.as_ref()),
        body: reply.payload,
    })
}

pub(super) fn fault(unanswered: Unanswered) -> PublishFault {
    match unanswered {
        Unanswered::NotConnected(limit) => PublishFault::NotConnected(limit),
        Unanswered::NotSent(reason) => PublishFault::Rejected(reason),
        Unanswered::NoResponders => PublishFault::NoStream,
        Unanswered::Denied(subject) => PublishFault::Denied(subject),
        Unanswered::Deaf(inbox) => {
            PublishFault::Unknown(format!("permission denied for {inbox}, where the confirmation would come"))
        }
        Unanswered::Broken => PublishFault::Unknown("the connection broke before the confirmation came".to_owned()),
        Unanswered::Late(limit) => PublishFault::Unknown(format!("no confirmation within {limit:?}")),
    }
}

/// Headers for the client. Whatever the client would panic on is left out: a dead letter must get through even when
/// the message that it copies has headers that cannot be written again.
pub(super) fn header_map(headers: &Headers) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter() {
        match (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            // Without looking for others of its name: most often there is one header.
            (Ok(name), Ok(value)) if map.is_empty() => map.insert(name, value),
            (Ok(name), Ok(value)) => map.append(name, value),
            _ => tracing::warn!(name, "a header cannot be written and is left out"),
        }
    }
    map
}

/// Headers of a received message.
pub(super) fn read_headers(headers: Option<&HeaderMap>) -> Headers {
    let all = headers.into_iter().flat_map(HeaderMap::iter);
    let mut read = Headers::default();
    for (name, values) in all {
        values.iter().for_each(|value| read.push_received(name.as_ref(), value.as_str()));
    }
    read
}
