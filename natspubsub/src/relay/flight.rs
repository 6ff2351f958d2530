//! One message on its way to the stream.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::SharedClock;
use crate::config::Config;
use crate::error::{Error, ErrorKind, chain};
use crate::failpoints::{Sabotage, sabotaged};
use crate::message::headers;
use crate::store::{ClaimedMessage, Lead, OutboxMessage};
use crate::topology::{Allowed, Feature, StreamOf};
use crate::trace::SendSpan;
use crate::transport::{CONSUMING_LANE, Outbound, PublishFault, SharedTransport, Stored};

/// What came back for a message.
pub(super) enum Landed {
    /// The server's answer, or why there is none.
    Answered(Result<Stored, PublishFault>),
    /// The stream does not allow what the message asks for.
    Refused(Error),
    /// The lease was over before it left.
    Fenced,
}

/// A message that leaves.
pub(super) struct Flight {
    pub(super) id: i64,
    pub(super) lead: Lead,
    pub(super) attempts: u32,
    pub(super) key: Option<String>,
    pub(super) outbound: Outbound,
}

impl Flight {
    pub(super) fn new(claimed: ClaimedMessage) -> Self {
        let ClaimedMessage { id, lead, attempts, message, .. } = claimed;
        let OutboxMessage { message_id, subject, key, mut headers, body, .. } = message;
        if sabotaged(Sabotage::NoMessageId) {
            headers.remove(headers::MESSAGE_ID);
        } else if headers.get(headers::MESSAGE_ID).is_none() {
            headers.push_own(headers::MESSAGE_ID, message_id);
        }
        Self { id, lead, attempts, key, outbound: Outbound { subject, headers, body } }
    }

    /// Why it can never be stored, as far as that is known without asking.
    pub(super) fn fault(&self, max_payload: usize) -> Option<String> {
        if let Err(fault) = natspubsub_grammar::check_subject(&self.outbound.subject) {
            return Some(format!("its subject cannot be published to: {fault}"));
        }
        let size = self.outbound.size();
        (size > max_payload).then(|| format!("it has {size} bytes, and the server takes {max_payload} (max_payload)"))
    }
}

/// How messages leave.
pub(super) struct Airfield {
    pub(super) transport: SharedTransport,
    pub(super) clock: SharedClock,
    pub(super) config: Config,
    pub(super) allowed: Allowed,
}

impl Airfield {
    /// Sends a message, unless the time of the fence is over.
    pub(super) async fn send(self: Arc<Self>, outbound: &Outbound, until: Duration) -> Landed {
        let features = features(outbound, &self.config);
        for feature in &features {
            let (transport, clock, config) = (self.transport.as_ref(), &*self.clock, &self.config);
            if let Err(error) = self.allowed.ensure(*feature, StreamOf { transport, clock, config }).await {
                return refused(error);
            }
        }
        let left = until.saturating_sub(self.clock.monotonic());
        if left.is_zero() {
            return Landed::Fenced;
        }
        if !self.transport.is_connected() {
            return Landed::Answered(Err(PublishFault::NotConnected(Duration::ZERO)));
        }
        let limit = self.config.publish_timeout;
        let span = relay_span(outbound);
        // Looked at and handed over in one step: what has to wait must not leave behind the fence.
        let answer = match self.transport.hand_over(CONSUMING_LANE, outbound, limit) {
            Some(confirmation) => confirmation.await,
            None => self.transport.publish(CONSUMING_LANE, outbound, limit.min(left)).await,
        };
        if let Err(fault) = &answer {
            span.failed(fault.error_type());
        }
        if answer.is_err() && !features.is_empty() {
            self.allowed.forget();
        }
        Landed::Answered(answer)
    }
}

/// A child of the span that wrote the message.
fn relay_span(outbound: &Outbound) -> SendSpan {
    let Outbound { subject, headers, body } = outbound;
    SendSpan::relay(subject, headers.get(headers::MESSAGE_ID).unwrap_or_default(), headers, body.len())
}

fn refused(error: Error) -> Landed {
    match error.kind() {
        ErrorKind::Connect => Landed::Answered(Err(PublishFault::NotConnected(Duration::ZERO))),
        ErrorKind::PermissionDenied { subject } => Landed::Answered(Err(PublishFault::Denied(subject.clone()))),
        _ => Landed::Refused(error),
    }
}

/// What the application's stream must allow before it takes the message; other streams are not ours to change.
fn features(outbound: &Outbound, config: &Config) -> Vec<Feature> {
    let has = |name| outbound.headers.get(name).is_some();
    let is_in = |pattern: String| outbound.subject.starts_with(pattern.trim_end_matches('>'));
    let ttl = (has(headers::TTL) && is_in(config.namespace.subjects())).then_some(Feature::MessageTtl);
    let is_delayed = has(headers::SCHEDULE) && is_in(config.namespace.schedule_subjects());
    ttl.into_iter().chain(is_delayed.then_some(Feature::Schedules)).collect()
}

/// An error with its causes, as the outbox keeps it.
pub(super) fn words(error: &Error) -> String {
    chain(error)
}
