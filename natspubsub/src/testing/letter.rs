//! Dead letters for plain unit tests of their handlers.

use serde_json::{Value, json};

use super::context::{EPOCH, context};
use super::delivery::made;
use crate::handler::{DeadLetter, DeadLetterPayload, Services};
use crate::message::Encode;
use crate::message::headers::{self, dead_letter as story};
use crate::subject::Namespace;

/// A dead letter for a plain call of a `#[dead_letter_handler]`: the message 1 of the application `app` under a topic,
/// given up by its fifth attempt.
///
/// ```
/// use natspubsub::prelude::*;
/// use natspubsub::testing;
///
/// #[dead_letter_handler("order.*")]
/// async fn review(letter: DeadLetter) -> Result<(), Failure> {
///     let order: String = letter.payload()?;
///     assert_eq!((order.as_str(), letter.reason()), ("ORD-1", "validation"));
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let letter = testing::dead_letter("order.created", "ORD-1").reason("validation").error("no total").build();
/// assert_eq!((letter.consumer(), letter.error()), ("app-handler", "no total"));
/// review(letter).await.unwrap();
/// # }
/// ```
///
/// # Panics
/// When the value cannot be encoded.
#[track_caller]
pub fn dead_letter<T: Encode + ?Sized>(topic: &str, value: &T) -> DeadLetterBuilder {
    let mut body = Vec::new();
    if let Err(fault) = value.encode(&mut body) {
        panic!("the value of the dead letter cannot be encoded: {fault}");
    }
    DeadLetterBuilder {
        topic: topic.into(),
        app: "app".into(),
        body,
        is_json: T::CONTENT_TYPE.is_none(),
        reason: "exhausted".into(),
        error: "the handler failed".into(),
        consumer: None,
        event_id: "event-1".into(),
        deliveries: 5,
        headers: Vec::new(),
    }
}

/// What a dead letter tells, made by [`dead_letter()`].
///
/// ```
/// let letter = natspubsub::testing::dead_letter("order.created", &7).app("orders").build();
/// assert_eq!(letter.original_subject(), "development.orders.order.created");
/// assert_eq!(letter.payload::<u32>().unwrap(), 7);
/// ```
#[derive(Debug, Clone)]
#[must_use = "the dead letter is made by `.build()`"]
pub struct DeadLetterBuilder {
    topic: String,
    app: String,
    body: Vec<u8>,
    /// Whether the body travels in an envelope.
    is_json: bool,
    reason: String,
    error: String,
    consumer: Option<String>,
    event_id: String,
    deliveries: u64,
    headers: Vec<(String, String)>,
}

impl DeadLetterBuilder {
    /// The application, `app` if not set.
    pub fn app(mut self, app: impl Into<String>) -> Self {
        self.app = app.into();
        self
    }

    /// Why the message was given up, `exhausted` if not set.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }

    /// The last error.
    pub fn error(mut self, error: impl Into<String>) -> Self {
        self.error = error.into();
        self
    }

    /// The durable that gave the message up, `{app}-handler` if not set.
    pub fn consumer(mut self, durable: impl Into<String>) -> Self {
        self.consumer = Some(durable.into());
        self
    }

    /// The event's id, `event-1` if not set.
    pub fn event_id(mut self, id: impl Into<String>) -> Self {
        self.event_id = id.into();
        self
    }

    /// How often the message was delivered, 5 if not set.
    pub fn deliveries(mut self, count: u64) -> Self {
        self.deliveries = count;
        self
    }

    /// Adds a header of the original message.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Makes the dead letter.
    ///
    /// # Panics
    /// When the topic is none, and when the name of the application cannot be a part of a subject.
    #[track_caller]
    pub fn build(self) -> DeadLetter {
        let original = context().app(&self.app).topic(&self.topic).build();
        let namespace = Namespace::new("development", &self.app).unwrap_or_else(|fault| panic!("{fault}"));
        let durable = self.consumer.as_deref().unwrap_or(original.durable());
        let at = format!("{EPOCH:.3}");
        let told = [
            (story::MARK, "true"),
            (story::REASON, &self.reason),
            (story::ERROR, &headers::header_safe(&self.error, self.error.len())),
            (story::ORIGINAL_SUBJECT, original.subject()),
            (story::ORIGINAL_STREAM, original.stream()),
            (story::ORIGINAL_SEQUENCE, "1"),
            (story::DELIVERIES, &self.deliveries.to_string()),
            (story::CONSUMER, durable),
            (story::EVENT_ID, &self.event_id),
            (story::FIRST_FAILED_AT, &at),
            (story::FAILED_AT, &at),
        ];
        let mut letter = context()
            .app(&self.app)
            .subject(namespace.dead_letter_subject(durable, original.topic()))
            .stream(namespace.dead_letter_stream())
            .event_id(&self.event_id);
        for (name, value) in &self.headers {
            letter = letter.header(name, value);
        }
        for (name, value) in told {
            letter = letter.header(name, value);
        }
        let body = match serde_json::from_slice::<Value>(&self.body) {
            Ok(value) if self.is_json => json!({ "event_id": self.event_id, "message": value }).to_string().into(),
            _ => {
                letter = letter.header(story::ENVELOPE, story::NO_ENVELOPE);
                self.body
            }
        };
        let delivery = made(letter.build(), body.into(), Services::default());
        DeadLetter::from_letter(&delivery).unwrap_or_else(|failure| panic!("{}", failure.describe()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Raw;

    #[test]
    fn a_letter_of_bytes_has_no_envelope() {
        let letter = dead_letter("a", &Raw(b"\x00"[..].into())).header("x-request-id", "r-7").build();
        assert_eq!(&letter.body()[..], b"\x00");
        assert_eq!(&letter.payload::<Raw>().unwrap().0[..], b"\x00");
        assert_eq!(letter.headers().get("x-request-id"), Some("r-7"));
        assert_eq!(
            (letter.original_sequence(), letter.deliveries(), letter.failed_at()),
            (Some(1), Some(5), Some(EPOCH))
        );
    }
}
