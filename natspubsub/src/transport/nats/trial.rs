//! What the account may do, tried without an effect.

use std::time::Duration;

use async_nats::{HeaderMap, Message};
use bytes::Bytes;

use super::link::{Link, Unanswered};
use crate::transport::ack_subject::AckSubject;
use crate::transport::port::Trial;

/// The server refuses what it does not permit at once; what it permits it may leave without an answer.
const LIMIT: Duration = Duration::from_secs(1);

/// A message that expects a stream which does not exist is refused by the one that takes its subject (10060).
const EXPECTED_STREAM: &str = "Nats-Expected-Stream";
const NO_STREAM: &str = "natspubsub-permission-trial";

/// A message that no stream has. The server gives no reply to an answer to message 0.
const NO_SEQUENCE: u64 = 1 << 53;

/// Every pull of a consumer.
pub(super) fn pull_subject(stream: &str, durable: &str) -> String {
    format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}")
}

/// How every answer to a delivery of a consumer begins.
pub(super) fn answer_prefix(stream: &str, durable: &str) -> String {
    format!("$JS.ACK.{stream}.{durable}.")
}

/// The subject that is not permitted, if it is not.
pub(super) async fn denies(link: &Link, trial: &Trial) -> Option<String> {
    match attempt(link, trial).await {
        Err(Unanswered::Denied(subject)) => Some(subject),
        _ => None,
    }
}

/// Tries again what a consumer was denied: the server tells nobody that it permits something by now.
pub(super) async fn retry_denied(link: &Link, stream: &str, durable: &str) {
    let trials = [
        (pull_subject(stream, durable), Trial::Pull { stream: stream.to_owned(), durable: durable.to_owned() }),
        (answer_prefix(stream, durable), Trial::Answer { stream: stream.to_owned(), durable: durable.to_owned() }),
    ];
    for (start, trial) in trials {
        if link.denials().find(&start).is_none() {
            continue;
        }
        // Without an answer it is not known.
        if matches!(attempt(link, &trial).await, Ok(_) | Err(Unanswered::NoResponders)) {
            tracing::info!(subject = start, "what was denied is permitted again");
            link.denials().forget(&start);
        }
    }
}

async fn attempt(link: &Link, trial: &Trial) -> Result<Message, Unanswered> {
    let mut headers = HeaderMap::new();
    headers.insert(EXPECTED_STREAM, NO_STREAM);
    let (subject, body) = match trial {
        Trial::Publish(subject) => (subject.clone(), Bytes::new()),
        // No JSON: the server refuses it (400) and delivers nothing.
        Trial::Pull { stream, durable } => (pull_subject(stream, durable), Bytes::from_static(b"{")),
        // The sign of life of a message that no stream has.
        Trial::Answer { stream, durable } => {
            let stored_at = jiff::Timestamp::UNIX_EPOCH;
            let token =
                AckSubject { stream, consumer: durable, deliveries: 1, sequence: NO_SEQUENCE, stored_at, backlog: 0 }
                    .write(0);
            (token, Bytes::from_static(b"+WPI"))
        }
        // The stream has no message 0: the server refuses it.
        Trial::Read { stream } => (format!("$JS.API.STREAM.MSG.GET.{stream}"), Bytes::from_static(b"{\"seq\":0}")),
        Trial::Purge { stream, subject } => {
            (format!("$JS.API.STREAM.PURGE.{stream}"), format!("{{\"filter\":\"{subject}\"}}").into())
        }
    };
    link.exchange(subject.into(), headers, body, LIMIT).await
}
