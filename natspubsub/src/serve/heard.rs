//! A message from its arrival to a delivery: envelope, id, context.

use std::sync::{Arc, OnceLock};

use bytestring::ByteString;
use jiff::Timestamp;

use super::listener::Listener;
use crate::handler::{Failure, FailureClass};
use crate::message::{Body, EnvelopeParts, Facts, Headers, Moment, Source, check_event_id, headers};
use crate::metrics::Flight;
use crate::transport::{CoreMessage, Outbound};

/// A message that was taken off the connection.
pub(crate) struct Arrived {
    pub(super) message: CoreMessage,
    pub(super) at: Timestamp,
    pub(super) flight: Flight,
}

/// A message whose handler's turn it is; what its context tells.
pub(super) struct Heard {
    subject: String,
    headers: Headers,
    /// Where an answer is expected.
    pub(super) reply: Option<String>,
    /// Bytes of its body as they came.
    pub(super) size: usize,
    pub(super) flight: Flight,
    facts: Facts,
}

impl Heard {
    /// Reads a message, with its body, or why its bytes cannot be read.
    pub(super) fn read(listener: &Listener, arrived: Arrived) -> (Arc<Self>, Result<Body, Failure>) {
        let Arrived { message: CoreMessage { message, reply, .. }, at, flight } = arrived;
        let Outbound { subject, headers, body } = message;
        let size = body.len();
        let read = match listener.plan.envelope {
            true => EnvelopeParts::read(&body, &headers, listener.ground.inflate_max),
            false => EnvelopeParts::read_plain(&body, &headers, listener.ground.inflate_max),
        };
        let (parts, body) = match read {
            Ok(mut parts) => {
                let body = std::mem::take(&mut parts.body);
                (parts, Ok(body))
            }
            Err(fault) => (EnvelopeParts::default(), Err(Failure::new(FailureClass::Undecodable, fault))),
        };
        let header = || headers.get(headers::MESSAGE_ID).filter(|id| check_event_id(id).is_ok());
        let facts = Facts {
            recipient: listener.recipient.clone(),
            // Nobody stored it, so that it has no number; without an id of its own it gets one for this once.
            event_id: parts
                .event_id
                .or_else(|| header().map(ByteString::from))
                .map_or_else(OnceLock::new, OnceLock::from),
            topic_at: 0,
            sequence: 0,
            deliveries: 1,
            stored_at: at,
            occurred_at: parts.occurred_at.map_or(Moment::At(None), Moment::Written),
            trace_id: parts.trace_id,
            metadata: parts.metadata,
        };
        (Arc::new(Self { subject, headers, reply, size, flight, facts }), body)
    }
}

impl Source for Heard {
    fn subject(&self) -> &str {
        &self.subject
    }

    fn headers(&self) -> &Headers {
        &self.headers
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }
}
