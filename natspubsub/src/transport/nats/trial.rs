//! What the account may do, tried without an effect.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;

use super::link::{Link, Unanswered};
use crate::transport::ack_subject::AckSubject;
use crate::transport::port::Trial;

/// The server refuses what it does not permit at once; what it permits it may leave without an answer.
const LIMIT: Duration = Duration::from_secs(1);

/// A message that expects a stream which does not exist is refused by the one that takes its subject (10060).
const EXPECTED_STREAM: &str = "Nats-Expected-Stream";
const NO_STREAM: &str = "natspubsub-permission-trial";

pub(super) async fn denies(link: &Link, trial: &Trial) -> Option<String> {
    let mut headers = HeaderMap::new();
    headers.insert(EXPECTED_STREAM, NO_STREAM);
    let (subject, body) = match trial {
        Trial::Publish(subject) => (subject.clone(), Bytes::new()),
        // No JSON: the server refuses it (400) and delivers nothing.
        Trial::Pull { stream, durable } => {
            (format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"), Bytes::from_static(b"{"))
        }
        // The sign of life of a message that no stream has.
        Trial::Answer { stream, durable } => {
            let stored_at = jiff::Timestamp::UNIX_EPOCH;
            let token = AckSubject { stream, consumer: durable, deliveries: 1, sequence: 0, stored_at }.write(0, 0);
            (token, Bytes::from_static(b"+WPI"))
        }
    };
    match link.exchange(subject.into(), headers, body, LIMIT).await {
        Err(Unanswered::Denied(subject)) => Some(subject),
        _ => None,
    }
}
