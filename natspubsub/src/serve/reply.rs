//! What a responder replies: the value, or an error in the headers of NATS services.

use std::borrow::Cow;

use bytes::Bytes;

use super::listener::Listener;
use crate::handler::{Failure, FailureClass, Outcome, redact};
use crate::message::Headers;
use crate::message::headers::{SERVICE_ERROR, SERVICE_ERROR_CODE, header_safe};
use crate::transport::{CONSUMING_LANE, Outbound};

/// The most bytes of an error's words.
const WORDS_MAX: usize = 1024;

/// Why there is no value in a reply; the codes are those of HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: u16,
    pub(super) words: Cow<'static, str>,
}

impl Refusal {
    const fn new(code: u16, words: &'static str) -> Self {
        Self { code, words: Cow::Borrowed(words) }
    }
}

/// More requests wait than may.
pub(super) const BUSY: Refusal = Refusal::new(503, "the responder has too many requests; try again later");

/// The application ended before the responder did.
pub(super) const ENDING: Refusal = Refusal::new(503, "the responder is shutting down; try again");

/// What is told to whoever asked. Pure.
pub(super) fn refusal(outcome: &Outcome) -> Refusal {
    match outcome {
        Outcome::Failed(failure) => of_failure(failure),
        Outcome::Retry { .. } => Refusal::new(503, "the responder cannot answer now; try again later"),
        Outcome::DeadLetter { reason } | Outcome::Discard { reason } => {
            Refusal { code: 500, words: redact(reason.clone()).into() }
        }
        // Some middleware ended without calling the responder.
        Outcome::Ack | Outcome::Duplicate => Refusal::new(500, "the responder has no reply"),
    }
}

fn of_failure(failure: &Failure) -> Refusal {
    let code = match failure.class() {
        FailureClass::Undecodable | FailureClass::Validation => 400,
        FailureClass::Infrastructure { .. } | FailureClass::Busy { .. } => 503,
        FailureClass::Timeout => return Refusal::new(504, "the responder did not end within its time limit"),
        // What a panic says is for whoever runs the responder.
        FailureClass::Panic => return Refusal::new(500, "the responder panicked"),
        FailureClass::Permanent
        | FailureClass::Transient { .. }
        | FailureClass::TransientCurve { .. }
        | FailureClass::Discard => 500,
    };
    // Without its causes: they are in the log of the responder.
    Refusal { code, words: redact(failure.to_string()).into() }
}

/// The headers of a reply without a value.
fn headers(refusal: &Refusal) -> Headers {
    let mut headers = Headers::default();
    headers.push_own(SERVICE_ERROR, header_safe(&refusal.words, WORDS_MAX));
    headers.push_own(SERVICE_ERROR_CODE, refusal.code.to_string());
    headers
}

/// Sends the value.
pub(super) async fn reply(listener: &Listener, to: Option<String>, body: Bytes) {
    send(listener, to, Headers::default(), body).await;
}

/// Sends why there is none.
pub(super) async fn refuse(listener: &Listener, to: Option<String>, refusal: &Refusal) {
    send(listener, to, headers(refusal), Bytes::new()).await;
}

async fn send(listener: &Listener, to: Option<String>, headers: Headers, body: Bytes) {
    let (transport, name) = (&listener.ground.transport, &listener.name);
    let Some(subject) = to else {
        tracing::debug!(responder = %name, "nobody waits for the reply to this message; it is dropped");
        return;
    };
    let mut message = Outbound { subject, headers, body };
    let (size, limit) = (message.size(), transport.max_payload());
    if size > limit {
        let words = format!("the reply has {size} bytes, more than the server's max_payload of {limit}");
        tracing::error!(responder = %name, size, limit, "the reply is larger than the server takes");
        message.headers = self::headers(&Refusal { code: 500, words: words.into() });
        message.body = Bytes::new();
    }
    if let Err(error) = transport.publish_core(CONSUMING_LANE, message).await {
        tracing::warn!(responder = %name, %error, "a reply could not be sent");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::handler::panicked;

    #[test]
    fn each_failure_has_its_code() {
        let of = |class| refusal(&Outcome::Failed(Failure::new(class, "words"))).code;
        assert_eq!([of(FailureClass::Undecodable), of(FailureClass::Validation)], [400, 400]);
        assert_eq!([of(FailureClass::Permanent), of(FailureClass::Transient { after: None })], [500, 500]);
        assert_eq!(of(FailureClass::Infrastructure { pause: Duration::ZERO }), 503);
        assert_eq!(of(FailureClass::Timeout), 504);
        assert_eq!(refusal(&Outcome::Retry { after: None }).code, 503);
        assert_eq!(refusal(&Outcome::Ack).code, 500, "a middleware that does not call the responder");
    }

    #[test]
    fn neither_panics_nor_passwords_nor_line_breaks_leave() {
        let told = |failure| headers(&refusal(&Outcome::Failed(failure))).get(SERVICE_ERROR).unwrap().to_owned();
        assert_eq!(told(panicked(Box::new("hunter2"))), "the responder panicked");
        assert_eq!(told(Failure::permanent("nats://me:hunter2@host\r\nis down")), "nats://me:***@host  is down");
    }
}
