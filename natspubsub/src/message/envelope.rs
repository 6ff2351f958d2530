//! Reading: from headers and bytes to ids, metadata and body. One form is written (`wire`), the older ones are read too.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::codec::{Body, DecodeFault, is_json};
use super::depth::{DEPTH_MAX, is_too_deep};
use super::gzip::{GZIP, MAGIC, inflate};
use super::headers::{self, Headers, bare};
use super::metadata::{METADATA_BYTES_MAX, Metadata};
use super::skim::{Skimmed, skim};

/// The same as values, for tests.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug, Default)]
pub(crate) struct EnvelopeIn {
    pub(crate) event_id: Option<String>,
    pub(crate) occurred_at: Option<jiff::Timestamp>,
    pub(crate) trace_id: Option<String>,
    pub(crate) metadata: Metadata,
    /// Where the body lies in the bytes that were read, or in what they inflated to.
    pub(crate) body: Bytes,
}

/// A message that was read, as parts of its bytes; the body is still text or bytes. Little of it is ever asked for.
#[derive(Debug, Default)]
pub(crate) struct EnvelopeParts {
    pub(crate) event_id: Option<ByteString>,
    /// As it is written.
    pub(crate) occurred_at: Option<ByteString>,
    pub(crate) trace_id: Option<ByteString>,
    /// `None` where there are none.
    pub(crate) metadata: Option<Box<Metadata>>,
    pub(crate) body: Body,
}

#[cfg(any(test, feature = "testing"))]
impl From<EnvelopeParts> for EnvelopeIn {
    fn from(parts: EnvelopeParts) -> Self {
        Self {
            event_id: parts.event_id.map(|id| id.to_string()),
            occurred_at: parts.occurred_at.as_deref().and_then(read_time),
            trace_id: parts.trace_id.map(|id| id.to_string()),
            metadata: parts.metadata.map(|metadata| *metadata).unwrap_or_default(),
            body: parts.body.bytes().clone(),
        }
    }
}

/// An event id becomes a header, a database key and a log field.
const EVENT_ID_LENGTH_MAX: usize = 128;

#[cfg(any(test, feature = "testing"))]
impl EnvelopeIn {
    /// As [`EnvelopeParts::read`].
    pub(crate) fn read(bytes: &Bytes, headers: &Headers, inflate_max: usize) -> Result<Self, DecodeFault> {
        EnvelopeParts::read(bytes, headers, inflate_max).map(Self::from)
    }

    /// As [`EnvelopeParts::read_plain`].
    pub(crate) fn read_plain(bytes: &Bytes, headers: &Headers, inflate_max: usize) -> Result<Self, DecodeFault> {
        EnvelopeParts::read_plain(bytes, headers, inflate_max).map(Self::from)
    }
}

impl EnvelopeParts {
    /// Reads a message of any form. A compressed one may inflate to `inflate_max` bytes.
    pub(crate) fn read(bytes: &Bytes, headers: &Headers, inflate_max: usize) -> Result<Self, DecodeFault> {
        let is_enveloped = headers.get(headers::CONTENT_TYPE).is_none_or(is_json);
        let encoding = headers.get(headers::CONTENT_ENCODING).unwrap_or_default().trim();
        // Bytes that are not JSON may be a gzip file of the user's own.
        let is_packed = encoding.eq_ignore_ascii_case(GZIP) || is_enveloped && bytes.starts_with(&MAGIC);
        let bytes = if is_packed { inflate(bytes, inflate_max)?.into() } else { bytes.clone() };
        if is_enveloped { Self::read_json(&bytes) } else { Self::read_bare(bytes, headers) }
    }

    /// Reads a message that is all payload, whatever it holds. Another program wrote it: an id that could not be used as a
    /// key is a label of its own, not a fault.
    pub(crate) fn read_plain(bytes: &Bytes, headers: &Headers, inflate_max: usize) -> Result<Self, DecodeFault> {
        let encoding = headers.get(headers::CONTENT_ENCODING).unwrap_or_default().trim();
        let is_packed = encoding.eq_ignore_ascii_case(GZIP);
        let body = if is_packed { inflate(bytes, inflate_max)?.into() } else { bytes.clone() };
        let read = Self::bare(body, headers);
        Ok(Self { event_id: read.event_id.filter(|id| check_event_id(id).is_ok()), ..read })
    }

    /// Reads the envelope and leaves the body as a slice of `bytes`.
    fn read_json(bytes: &Bytes) -> Result<Self, DecodeFault> {
        // Checked at once: what is skipped would else not be looked at.
        let text = ByteString::try_from(bytes.clone())
            .map_err(|error| DecodeFault(format!("the message is not UTF-8: {error}")))?;
        let fields = match skim(&text).and_then(Fields::of) {
            // Nests less deep than it may.
            Some(fields) => fields,
            None if is_too_deep(bytes) => {
                return Err(DecodeFault(format!("the message nests deeper than {DEPTH_MAX} arrays and objects")));
            }
            None => serde_json::from_str(&text)
                .map_err(|error| DecodeFault(format!("the message is no envelope: {error}")))?,
        };
        let body = fields.message.or(fields.payload).or(fields.data);
        let body = body.ok_or_else(|| DecodeFault("the envelope has no `message`, `payload` or `data`".into()))?;
        if let Some(id) = &fields.event_id {
            check_event_id(id)?;
        }
        let part = |part: Cow<'_, str>| match part {
            Cow::Borrowed(part) => text.slice_ref(part),
            Cow::Owned(part) => ByteString::from(part),
        };
        let own_trace = || Some(ByteString::from(fields.metadata.as_ref()?.trace_id.clone()?));
        Ok(Self {
            event_id: fields.event_id.map(part),
            occurred_at: fields.occurred_at.map(part),
            trace_id: fields.trace_id.map(part).or_else(own_trace),
            body: Body::Text(text.slice_ref(body)),
            metadata: fields.metadata,
        })
    }

    /// A message without an envelope that natspubsub wrote.
    fn read_bare(body: Bytes, headers: &Headers) -> Result<Self, DecodeFault> {
        let read = Self::bare(body, headers);
        read.event_id.as_deref().map_or(Ok(()), check_event_id)?;
        Ok(read)
    }

    /// A message without an envelope: all of it is the body, and headers say the rest.
    fn bare(body: Bytes, headers: &Headers) -> Self {
        let header = |name: &str| headers.get(name).filter(|value| !value.is_empty()).map(str::to_owned);
        let trace_id = header(headers::TRACE_ID);
        let (correlation_id, causation_id) = (header(bare::CORRELATION_ID), header(bare::CAUSATION_ID));
        let says_something = trace_id.is_some() || correlation_id.is_some() || causation_id.is_some();
        let metadata = says_something.then(|| {
            let trace_id = trace_id.clone();
            Box::new(Metadata { trace_id, correlation_id, causation_id, ..Metadata::default() })
        });
        Self {
            event_id: header(bare::EVENT_ID).map(ByteString::from),
            occurred_at: header(bare::OCCURRED_AT).map(ByteString::from),
            trace_id: trace_id.map(ByteString::from),
            metadata,
            body: body.into(),
        }
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
pub(super) fn read_time(text: &str) -> Option<jiff::Timestamp> {
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
    metadata: Option<Box<Metadata>>,
    message: Option<&'a str>,
    payload: Option<&'a str>,
    data: Option<&'a str>,
}

impl<'a> Fields<'a> {
    /// Of an envelope that has nothing unusual. Metadata that cannot be read, or not be kept, are.
    fn of(skimmed: Skimmed<'a>) -> Option<Self> {
        let metadata = match skimmed.metadata {
            None | Some("null") => None,
            Some(text) if text.len() > METADATA_BYTES_MAX => return None,
            Some(text) => Some(serde_json::from_str(text).ok()?),
        };
        Some(Self {
            event_id: skimmed.event_id.map(Cow::Borrowed),
            occurred_at: skimmed.occurred_at.map(Cow::Borrowed),
            trace_id: skimmed.trace_id.map(Cow::Borrowed),
            metadata,
            message: skimmed.message,
            payload: skimmed.payload,
            data: skimmed.data,
        })
    }
}

/// A string that borrows where it holds no escapes.
struct Borrowing<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Borrowing<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BorrowingVisitor;
        impl<'de> Visitor<'de> for BorrowingVisitor {
            type Value = Borrowing<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Borrowing(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Borrowing(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(BorrowingVisitor)
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
                while let Some(Borrowing(key)) = map.next_key::<Borrowing<'de>>()? {
                    match &*key {
                        "event_id" => once(&mut fields.event_id, "event_id", text(&mut map)?)?,
                        "occurred_at" => once(&mut fields.occurred_at, "occurred_at", text(&mut map)?)?,
                        "trace_id" => once(&mut fields.trace_id, "trace_id", text(&mut map)?)?,
                        "metadata" => once(&mut fields.metadata, "metadata", metadata(&mut map)?)?,
                        "message" => once(&mut fields.message, "message", json(&mut map)?)?,
                        "payload" => once(&mut fields.payload, "payload", json(&mut map)?)?,
                        "data" => once(&mut fields.data, "data", json(&mut map)?)?,
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
    Ok(map.next_value::<Option<Borrowing<'de>>>()?.map(|text| text.0))
}

fn json<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<&'de str>, A::Error> {
    Ok(Some(map.next_value::<&RawValue>()?.get()))
}

/// Metadata are kept as values, which take many times their text: the text is limited.
fn metadata<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Box<Metadata>>, A::Error> {
    let Some(text) = map.next_value::<Option<&RawValue>>()?.map(RawValue::get) else { return Ok(None) };
    if text.len() > METADATA_BYTES_MAX {
        let size = text.len();
        return Err(serde::de::Error::custom(format!(
            "its metadata have {size} bytes, more than {METADATA_BYTES_MAX}"
        )));
    }
    serde_json::from_str(text).map(Some).map_err(serde::de::Error::custom)
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
    use crate::message::gzip;

    fn read(text: &str) -> Result<EnvelopeIn, DecodeFault> {
        read_with(&[], text.as_bytes())
    }

    fn read_with(headers: &[(&str, &str)], bytes: &[u8]) -> Result<EnvelopeIn, DecodeFault> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        EnvelopeIn::read(&Bytes::copy_from_slice(bytes), &headers, 64 * 1024)
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
            "{}",
            r#"{"event_id":"a"}"#,
            r#"{"message":1,"message":2}"#,
            r#"{"message":1,"metadata":{},"metadata":{}}"#,
            r#"{"event_id":"a","event_id":"a","message":1}"#,
            r#"{"event_id":"a b","message":1}"#,
            r#"{"event_id":"","message":1}"#,
            r#"{"message":NaN}"#,
            "{\"message\":1}{\"message\":1}",
            "\u{feff}{\"message\":1}",
        ] {
            assert!(read(text).is_err(), "{text:.60}");
        }
    }

    #[test]
    fn every_byte_is_utf_8_also_in_what_is_skipped() {
        for bytes in [&b"{\"message\":\"\xff\"}"[..], b"{\"message\":1,\"unknown\":\"\xff\"}"] {
            assert!(read_with(&[], bytes).unwrap_err().to_string().contains("not UTF-8"));
        }
    }

    #[test]
    fn numbers_of_the_body_keep_every_digit() {
        let body = "[9007199254740993,18446744073709551616,0.10,1e400]";
        assert_eq!(read(&format!(r#"{{"message":{body}}}"#)).unwrap().body, body);
        let envelope = read(r#"{"message":1,"metadata":{"n":9007199254740993}}"#).unwrap();
        assert_eq!(envelope.metadata.other["n"].as_u64(), Some(9_007_199_254_740_993));
    }

    #[test]
    fn more_than_64_levels_anywhere_are_refused() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        for field in ["message", "payload", "data", "unknown", "metadata"] {
            let (open, close) = if field == "metadata" { (r#"{"x":"#, "}") } else { ("", "") };
            let body = if ["unknown", "metadata"].contains(&field) { r#","message":1"# } else { "" };
            let own = 1 + open.matches('{').count();
            let text = |depth: usize| format!(r#"{{"{field}":{open}{}{close}{body}}}"#, nested(depth));
            assert!(read(&text(64 - own)).is_ok(), "{field}");
            let fault = read(&text(65 - own)).unwrap_err().to_string();
            assert!(fault.contains("deeper than 64"), "{field}: {fault}");
        }
        let text = format!(r#"{{"message":"{}"}}"#, "[".repeat(1_000));
        assert!(read(&text).is_ok(), "brackets in a text do not nest");
        assert!(read(&format!(r#"{{"message":{}"#, "[".repeat(1_000_000))).is_err());
    }

    #[test]
    fn metadata_are_limited_and_a_body_is_not() {
        let filled = |field: &str, size: usize| {
            let text = format!(r#"{{"x":"{}"}}"#, "a".repeat(size - r#"{"x":""}"#.len()));
            let other = if field == "message" { "metadata" } else { "message" };
            read(&format!(r#"{{"{field}":{text},"{other}":{{}}}}"#))
        };
        assert!(filled("metadata", METADATA_BYTES_MAX).is_ok());
        let fault = filled("metadata", METADATA_BYTES_MAX + 1).unwrap_err().to_string();
        assert!(fault.contains("metadata have 65537 bytes, more than 65536"), "{fault}");
        assert!(filled("message", METADATA_BYTES_MAX + 1).is_ok());
        assert_eq!(read(r#"{"message":1,"metadata":null}"#).unwrap().metadata, Metadata::default());
    }

    #[test]
    fn a_million_keys_are_a_slice_of_what_was_received() {
        let keys: Vec<String> = (0..1_000_000).map(|n| format!("\"{n}\":0")).collect();
        let bytes = Bytes::from(format!(r#"{{"message":{{{}}},"unknown":{{{}}}}}"#, keys.join(","), keys.join(",")));
        let envelope = EnvelopeIn::read(&bytes, &Headers::default(), 0).unwrap();
        assert!(bytes.as_ptr_range().contains(&envelope.body.as_ptr()));
    }

    #[test]
    fn a_compressed_message_is_known_by_its_header_or_its_first_bytes() {
        let packed = gzip::deflate(br#"{"event_id":"e","message":[1,2]}"#).unwrap();
        for headers in [&[][..], &[("content-encoding", "GZIP")], &[("Content-Type", "text/json; charset=utf-8")]] {
            let envelope = read_with(headers, &packed).unwrap();
            assert_eq!((envelope.event_id.as_deref(), &envelope.body[..]), (Some("e"), &b"[1,2]"[..]));
        }
        assert!(read_with(&[("Content-Encoding", "gzip")], br#"{"message":1}"#).is_err(), "the header does not lie");
        assert!(read_with(&[], &packed[..packed.len() - 1]).is_err());
        let bomb = gzip::deflate(format!(r#"{{"message":"{}"}}"#, "a".repeat(64 * 1024)).as_bytes()).unwrap();
        assert!(read_with(&[], &bomb).unwrap_err().to_string().contains("65536 bytes"));
    }

    #[test]
    fn what_is_not_json_is_the_whole_body() {
        let gzip_file = gzip::deflate(b"a file").unwrap();
        let envelope = read_with(&[("content-type", "application/gzip")], &gzip_file).unwrap();
        assert_eq!(&envelope.body[..], &gzip_file[..], "a file of the user's own stays as it is");
        assert_eq!((envelope.event_id, envelope.occurred_at), (None, None));
        let headers =
            [("Content-Type", "text/plain"), ("Content-Encoding", "gzip"), ("X-Event-Id", "e"), ("trace_id", "t")];
        let times = [("x-occurred-at", "2026-01-02T03:04:05.678Z"), ("x-correlation-id", "c"), ("x-causation-id", "d")];
        let envelope = read_with(&[&headers[..], &times].concat(), &gzip_file).unwrap();
        assert_eq!(&envelope.body[..], b"a file");
        assert_eq!((envelope.event_id.as_deref(), envelope.trace_id.as_deref()), (Some("e"), Some("t")));
        assert_eq!(envelope.occurred_at.unwrap().to_string(), "2026-01-02T03:04:05.678Z");
        assert_eq!(envelope.metadata.correlation_id.as_deref(), Some("c"));
        assert_eq!(envelope.metadata.causation_id.as_deref(), Some("d"));
        assert!(read_with(&[("Content-Type", "text/plain"), ("x-event-id", "a b")], b"").is_err());
    }
}
