//! The first argument of a `#[dead_letter_handler]`.

use bytes::Bytes;
use jiff::Timestamp;

use super::delivery::Delivery;
use super::failure::{Failure, FailureClass};
use super::payload::Payload;
use crate::message::headers::dead_letter;
use crate::message::{EnvelopeParts, Headers, INFLATE_MAX};

/// A message that was given up, with the story of how it came to that.
///
/// ```
/// use natspubsub::prelude::*;
///
/// #[dead_letter_handler("order.*")]
/// async fn alert(letter: DeadLetter) {
///     println!("{} gave up {}: {}", letter.consumer(), letter.event_id(), letter.error());
/// }
/// # fn main() {}
/// ```
#[derive(Debug, Clone)]
pub struct DeadLetter {
    delivery: Delivery,
}

impl DeadLetter {
    fn header(&self, name: &str) -> &str {
        self.headers().get(name).unwrap_or_default()
    }

    /// Why: `exhausted`, `permanent`, `validation`, `undecodable`, `timeout`, `panic` or `crash`.
    pub fn reason(&self) -> &str {
        self.header(dead_letter::REASON)
    }

    /// The last error with its causes; empty when it did not fit.
    pub fn error(&self) -> &str {
        self.header(dead_letter::ERROR)
    }

    /// The durable consumer that gave the message up.
    pub fn consumer(&self) -> &str {
        self.header(dead_letter::CONSUMER)
    }

    /// The event's id.
    pub fn event_id(&self) -> &str {
        self.header(dead_letter::EVENT_ID)
    }

    /// The subject that the message was published to.
    pub fn original_subject(&self) -> &str {
        self.header(dead_letter::ORIGINAL_SUBJECT)
    }

    /// The stream that stored the message.
    pub fn original_stream(&self) -> &str {
        self.header(dead_letter::ORIGINAL_STREAM)
    }

    /// The sequence number of the message in that stream.
    pub fn original_sequence(&self) -> Option<u64> {
        self.header(dead_letter::ORIGINAL_SEQUENCE).parse().ok()
    }

    /// How often the message was delivered before it was given up.
    pub fn deliveries(&self) -> Option<u64> {
        self.header(dead_letter::DELIVERIES).parse().ok()
    }

    /// When the message failed first, as far as the process that gave it up knew.
    pub fn first_failed_at(&self) -> Option<Timestamp> {
        self.header(dead_letter::FIRST_FAILED_AT).parse().ok()
    }

    /// When the message was given up.
    pub fn failed_at(&self) -> Option<Timestamp> {
        self.header(dead_letter::FAILED_AT).parse().ok()
    }

    /// Every header: those of the original and those of the story.
    pub fn headers(&self) -> &Headers {
        self.delivery.context().headers()
    }

    /// How many bytes the original's body had, when it did not fit; it is then still in the original's stream.
    pub fn omitted_bytes(&self) -> Option<u64> {
        self.headers().get(dead_letter::BODY_OMITTED)?.parse().ok()
    }

    /// The bytes of the original, unchanged; empty when they did not fit ([`DeadLetter::omitted_bytes`]).
    pub fn body(&self) -> &Bytes {
        self.delivery.body()
    }

    /// The payload of the original.
    ///
    /// # Errors
    /// A [`Failure`] of class [`FailureClass::Undecodable`] when the bytes are no message with a `T`; a permanent one
    /// when the body did not fit into the dead letter.
    pub fn payload<T: Payload>(&self) -> Result<T, Failure> {
        if let Some(size) = self.omitted_bytes() {
            let (stream, sequence) = (self.original_stream(), self.header(dead_letter::ORIGINAL_SEQUENCE));
            let text = format!(
                "the body had {size} bytes and is not in the dead letter; it is message {sequence} of {stream}"
            );
            return Err(Failure::permanent(text));
        }
        let read = match self.header(dead_letter::ENVELOPE) {
            dead_letter::NO_ENVELOPE => EnvelopeParts::read_plain,
            _ => EnvelopeParts::read,
        };
        let envelope = read(self.body(), self.headers(), INFLATE_MAX)
            .map_err(|fault| Failure::new(FailureClass::Undecodable, fault))?;
        let context = self.delivery.context().clone();
        T::from_body(&Delivery::new(context, envelope.body, self.delivery.shared_services()))
    }
}

/// The first argument of a dead-letter handler.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a dead letter",
    label = "not a dead letter",
    note = "the first argument of a dead-letter handler is `DeadLetter`; `letter.payload::<OrderCreated>()` reads the body"
)]
pub trait DeadLetterPayload: Sized {
    /// Reads the letter out of its delivery.
    ///
    /// # Errors
    /// None; the type is that of every payload.
    fn from_letter(delivery: &Delivery) -> Result<Self, Failure>;
}

impl DeadLetterPayload for DeadLetter {
    fn from_letter(delivery: &Delivery) -> Result<Self, Failure> {
        Ok(Self { delivery: delivery.clone() })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::message::{Context, Raw};

    fn letter(body: impl Into<Bytes>) -> DeadLetter {
        DeadLetter { delivery: Delivery::new(Context::sample(), Into::<Bytes>::into(body), Arc::default()) }
    }

    #[test]
    fn the_payload_of_a_letter_is_read_as_that_of_a_message() {
        let plain = br#"{"event_id":"e","message":7}"#;
        let packed = crate::message::deflate(plain).unwrap();
        for body in [Bytes::from_static(plain), packed.into()] {
            let letter = letter(body.clone());
            assert_eq!(letter.payload::<u64>().unwrap(), 7);
            assert_eq!(&letter.payload::<Raw>().unwrap().0[..], b"7");
            assert_eq!(letter.body(), &body, "the bytes are those of the original");
        }
        assert_eq!(letter("7").payload::<u64>().unwrap_err().class(), FailureClass::Undecodable);
    }
}
