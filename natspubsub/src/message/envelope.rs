//! The envelope: one form is written, the older forms are read.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::codec::DecodeFault;
use super::metadata::Metadata;

/// An envelope to be written around a borrowed body.
#[derive(Serialize)]
pub(crate) struct EnvelopeOut<'a, T: ?Sized> {
    pub(crate) event_id: &'a str,
    pub(crate) schema_version: u32,
    pub(crate) topic: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message_type: Option<&'a str>,
    pub(crate) producer: &'a str,
    #[serde(serialize_with = "timestamp")]
    pub(crate) occurred_at: jiff::Timestamp,
    pub(crate) message: &'a T,
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    pub(crate) metadata: &'a Metadata,
}

/// RFC 3339 with milliseconds, as every implementation of the format writes it.
fn timestamp<S: Serializer>(at: &jiff::Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{at:.3}"))
}

/// An envelope that was read; its body is still JSON text.
#[derive(Debug, Default)]
pub(crate) struct EnvelopeIn {
    pub(crate) event_id: Option<String>,
    pub(crate) occurred_at: Option<jiff::Timestamp>,
    pub(crate) trace_id: Option<String>,
    pub(crate) metadata: Metadata,
    /// Where the body lies in the bytes that were read.
    pub(crate) body: Bytes,
}

/// An event id becomes a header, a database key and a log field.
const EVENT_ID_LENGTH_MAX: usize = 128;

impl EnvelopeIn {
    /// Reads the envelope and leaves the body as a slice of `bytes`.
    pub(crate) fn read(bytes: &Bytes) -> Result<Self, DecodeFault> {
        let fields: Fields<'_> = serde_json::from_slice(bytes)
            .map_err(|error| DecodeFault(format!("the message is no envelope: {error}")))?;
        let body = fields.message.or(fields.payload).or(fields.data);
        let body = body.ok_or_else(|| DecodeFault("the envelope has no `message`, `payload` or `data`".into()))?;
        if let Some(id) = &fields.event_id {
            check_event_id(id)?;
        }
        let metadata = fields.metadata.unwrap_or_default();
        let trace_id = fields.trace_id.map(Cow::into_owned).or_else(|| metadata.trace_id.clone());
        Ok(Self {
            event_id: fields.event_id.map(Cow::into_owned),
            occurred_at: fields.occurred_at.as_deref().and_then(read_time),
            trace_id,
            metadata,
            body: bytes.slice_ref(body.get().as_bytes()),
        })
    }
}

/// Refuses an event id that could not be used as a key.
pub(crate) fn check_event_id(id: &str) -> Result<(), DecodeFault> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
    if id.is_empty() || id.len() > EVENT_ID_LENGTH_MAX || !id.bytes().all(allowed) {
        let text = format!(
            "event id {id:?} is not 1 to {EVENT_ID_LENGTH_MAX} characters of A-Z, a-z, 0-9, `.`, `_`, `:` and `-`"
        );
        return Err(DecodeFault(text));
    }
    Ok(())
}

/// RFC 3339 with or without a fraction; a time without an offset counts as UTC. A time that cannot be read is a
/// label that is missing, not a message that is broken.
fn read_time(text: &str) -> Option<jiff::Timestamp> {
    text.parse().ok().or_else(|| {
        let local: jiff::civil::DateTime = text.parse().ok()?;
        Some(local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })
}

/// The fields that are understood; the rest is skipped, not refused.
#[derive(Default)]
struct Fields<'a> {
    event_id: Option<Cow<'a, str>>,
    occurred_at: Option<Cow<'a, str>>,
    trace_id: Option<Cow<'a, str>>,
    metadata: Option<Metadata>,
    message: Option<&'a RawValue>,
    payload: Option<&'a RawValue>,
    data: Option<&'a RawValue>,
}

/// A string that borrows where it holds no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an envelope (a JSON object)")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Fields::default();
                while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
                    match &*key {
                        "event_id" => once(&mut fields.event_id, "event_id", text(&mut map)?)?,
                        "occurred_at" => once(&mut fields.occurred_at, "occurred_at", text(&mut map)?)?,
                        "trace_id" => once(&mut fields.trace_id, "trace_id", text(&mut map)?)?,
                        "metadata" => once(&mut fields.metadata, "metadata", map.next_value()?)?,
                        "message" => once(&mut fields.message, "message", Some(map.next_value()?))?,
                        "payload" => once(&mut fields.payload, "payload", Some(map.next_value()?))?,
                        "data" => once(&mut fields.data, "data", Some(map.next_value()?))?,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(FieldsVisitor)
    }
}

fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    Ok(map.next_value::<Option<Text<'de>>>()?.map(|text| text.0))
}

/// A field that stands twice is ambiguous: readers disagree on which one counts.
fn once<T, E: serde::de::Error>(slot: &mut Option<T>, name: &'static str, value: Option<T>) -> Result<(), E> {
    if slot.is_some() {
        return Err(E::duplicate_field(name));
    }
    *slot = value;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<EnvelopeIn, DecodeFault> {
        EnvelopeIn::read(&Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn the_written_form_is_the_documented_one() {
        let metadata = Metadata { correlation_id: Some("c".into()), ..Metadata::default() };
        let mut envelope = EnvelopeOut {
            event_id: "e-1",
            schema_version: 1,
            topic: "order.created",
            message_type: Some("OrderCreated"),
            producer: "orders",
            occurred_at: "2026-01-02T03:04:05.678912Z".parse().unwrap(),
            message: &serde_json::json!({"order_id": "ORD-1"}),
            metadata: &metadata,
        };
        assert_eq!(
            serde_json::to_string(&envelope).unwrap(),
            r#"{"event_id":"e-1","schema_version":1,"topic":"order.created","message_type":"OrderCreated","producer":"orders","occurred_at":"2026-01-02T03:04:05.678Z","message":{"order_id":"ORD-1"},"metadata":{"correlation_id":"c"}}"#
        );
        let none = Metadata::default();
        envelope.metadata = &none;
        envelope.message_type = None;
        let text = serde_json::to_string(&envelope).unwrap();
        assert!(!text.contains("metadata") && !text.contains("message_type"), "{text}");
    }

    #[test]
    fn older_forms_are_read() {
        for (text, body) in [
            (r#"{"event_id":"a","message":{"n":1},"payload":{"n":2}}"#, r#"{"n":1}"#),
            (r#"{"event_id":"a","payload":{"n":2},"data":{"n":3}}"#, r#"{"n":2}"#),
            (r#"{"event_id":"a","data":[3],"unknown":{"deep":[1,{}]}}"#, "[3]"),
            (r#"{"message":null}"#, "null"),
        ] {
            assert_eq!(read(text).unwrap().body, body, "{text}");
        }
    }

    #[test]
    fn times_and_trace_ids_are_read_at_either_place() {
        let envelope =
            read(r#"{"message":1,"occurred_at":"2026-01-02T03:04:05+01:00","metadata":{"trace_id":"t"}}"#).unwrap();
        assert_eq!(envelope.occurred_at.unwrap().to_string(), "2026-01-02T02:04:05Z");
        assert_eq!(envelope.trace_id.as_deref(), Some("t"));
        let envelope = read(r#"{"message":1,"occurred_at":"2026-01-02T03:04:05.5","trace_id":"u"}"#).unwrap();
        assert_eq!(envelope.occurred_at.unwrap().to_string(), "2026-01-02T03:04:05.5Z");
        assert_eq!(envelope.trace_id.as_deref(), Some("u"));
    }

    #[test]
    fn broken_envelopes_are_refused() {
        for text in [
            "",
            "null",
            "[]",
            "{",
            r#"{"event_id":"a"}"#,
            r#"{"message":1,"message":2}"#,
            r#"{"event_id":"a b","message":1}"#,
        ] {
            assert!(read(text).is_err(), "{text:.40}");
        }
        assert!(EnvelopeIn::read(&Bytes::from_static(b"{\"message\":\"\xff\"}")).is_err());
    }

    #[test]
    fn a_body_that_is_too_deep_is_refused_when_it_is_decoded() {
        let deep = format!("{{\"message\":{}1{}}}", "[".repeat(200_000), "]".repeat(200_000));
        let body = read(&deep).unwrap().body;
        assert!(super::super::decode_json::<serde_json::Value>(&body).is_err());
    }
}
