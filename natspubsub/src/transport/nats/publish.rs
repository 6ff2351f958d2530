//! One confirmed publish.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::{HeaderName, HeaderValue};
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{self, message::PublishMessage};

use crate::message::Headers;
use crate::transport::port::{Outbound, PublishFault, Stored};

pub(super) async fn publish(
    jetstream: &jetstream::Context,
    message: Outbound,
    limit: Duration,
) -> Result<Stored, PublishFault> {
    let mut outgoing = PublishMessage::build().payload(message.body);
    if !message.headers.is_empty() {
        outgoing = outgoing.headers(header_map(&message.headers));
    }
    // The client starts its own time limit when the acknowledgement is first awaited; this one starts now.
    let confirmed = async { jetstream.send_publish(message.subject, outgoing).await?.await };
    match tokio::time::timeout(limit, confirmed).await {
        Ok(Ok(ack)) => Ok(Stored { stream: ack.stream, sequence: ack.sequence, duplicate: ack.duplicate }),
        Ok(Err(error)) => Err(fault(&error)),
        Err(_) => Err(PublishFault::Unknown(format!("no confirmation within {limit:?}"))),
    }
}

fn fault(error: &PublishError) -> PublishFault {
    let text = crate::error::chain(error);
    match error.kind() {
        PublishErrorKind::StreamNotFound => PublishFault::NoStream,
        PublishErrorKind::MaxPayloadExceeded
        | PublishErrorKind::WrongLastMessageId
        | PublishErrorKind::WrongLastSequence => PublishFault::Rejected(text),
        // An answer of the server is certain; anything else, such as an answer that cannot be read, is not.
        _ if is_answer(error) => PublishFault::Rejected(text),
        _ => PublishFault::Unknown(text),
    }
}

fn is_answer(error: &PublishError) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<jetstream::Error>())
}

/// Headers for the client. Whatever the client would panic on is left out: a dead letter must get through even when
/// the message that it copies has headers that cannot be written again.
fn header_map(headers: &Headers) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter() {
        match (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            (Ok(name), Ok(value)) => map.append(name, value),
            _ => tracing::warn!(name, "a header cannot be written and is left out"),
        }
    }
    map
}
