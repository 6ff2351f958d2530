//! From a value to what travels: headers and bytes. Every message is written here.

use std::borrow::Cow;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::Serialize;

use super::codec::is_json;
use super::encode::BYTES;
#[cfg(test)]
use super::encode::Encode;
use super::gzip::{self, GZIP, INFLATE_MAX};
use super::headers::{self, Headers, bare, header_safe};
use super::metadata::{METADATA_BYTES_MAX, Metadata};
use crate::error::BoxError;

/// The first size of the buffer that an envelope is written to.
const ENVELOPE_CAPACITY: usize = 512;

/// A value of a header that comes from elsewhere is cut here.
const LABEL_BYTES_MAX: usize = 1024;

/// RFC 3339 with milliseconds, as every implementation of the format writes it.
const TIME: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// What the configuration says about writing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WireRules {
    /// Also `topic`, `Nats-Published-At` and `trace_id`.
    pub(crate) full_headers: bool,
    /// The body stands a second time under `payload`, for old readers.
    pub(crate) mirror_payload: bool,
    /// Bytes, the envelope included, above which the body is compressed.
    pub(crate) compress_above: Option<usize>,
}

/// Everything about a message but its value.
pub(crate) struct Sheet<'a> {
    pub(crate) event_id: &'a str,
    /// What the stream knows the message by; another than the event's id where one event goes to several topics.
    pub(crate) message_id: &'a str,
    /// Whether the message arrives without it: the server takes it off what it publishes at a later time.
    pub(crate) loses_message_id: bool,
    pub(crate) schema_version: u32,
    pub(crate) topic: &'a str,
    pub(crate) message_type: Option<&'a str>,
    pub(crate) producer: &'a str,
    pub(crate) occurred_at: Timestamp,
    pub(crate) published_at: Timestamp,
    pub(crate) metadata: Cow<'a, Metadata>,
    /// Whether JSON lies in an envelope.
    pub(crate) is_enveloped: bool,
    /// Whether nobody stores the message. It has no message id then, and without an envelope nothing of its own but what its
    /// cause says: other programs read it, and headers cost more than its body.
    pub(crate) is_core: bool,
    /// The user's, already checked.
    pub(crate) headers: Headers,
}

/// Why a message cannot be written.
#[derive(Debug)]
pub(crate) enum WriteFault {
    /// The value cannot be written in its format.
    Encode(Box<dyn std::error::Error + Send + Sync>),
    /// What would be sent has more bytes than the limit, without its optional metadata too.
    TooLarge { size: usize },
}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for WriteFault {
    fn from(error: E) -> Self {
        Self::Encode(error.into())
    }
}

/// Writes the message of a value.
#[cfg(test)]
pub(crate) fn write<T: Encode + ?Sized>(
    sheet: Sheet<'_>,
    value: &T,
    rules: &WireRules,
    limit: usize,
) -> Result<(Headers, Bytes), WriteFault> {
    write_encoded(sheet, T::CONTENT_TYPE, |into| value.encode(into), value.encoded(), rules, limit)
}

/// Writes a message. `limit` counts everything that is sent: headers and body; `whole` is the value where it is encoded already.
pub(crate) fn write_encoded(
    mut sheet: Sheet<'_>,
    media_type: Option<&str>,
    encode: impl Fn(&mut Vec<u8>) -> Result<(), BoxError>,
    whole: Option<Bytes>,
    rules: &WireRules,
    limit: usize,
) -> Result<(Headers, Bytes), WriteFault> {
    let media_type = media_type.filter(|media_type| !is_json(media_type));
    check_claims(&sheet.headers, media_type)?;
    if media_type.is_some() || !sheet.is_enveloped {
        let plain = match whole {
            Some(whole) => whole,
            None => encoded(encode)?,
        };
        let headers = write_headers(&mut sheet, media_type, rules.full_headers);
        return match seal(&headers, &plain, rules)? {
            (size, _) if size > limit => Err(WriteFault::TooLarge { size }),
            (_, packed) => Ok(sealed(headers, plain, packed)),
        };
    }
    let mut plain = Vec::new();
    write_head(&mut plain, &sheet, encode, rules.mirror_payload)?;
    let head = plain.len();
    write_tail(&mut plain, &sheet.metadata)?;
    let headers = write_headers(&mut sheet, media_type, rules.full_headers);
    loop {
        let (size, packed) = seal(&headers, &plain, rules)?;
        if size <= limit {
            return Ok(sealed(headers, plain.into(), packed));
        }
        if !sheet.metadata.to_mut().shed() {
            return Err(WriteFault::TooLarge { size });
        }
        plain.truncate(head);
        write_tail(&mut plain, &sheet.metadata)?;
    }
}

/// The body that is all of a message.
fn encoded(encode: impl Fn(&mut Vec<u8>) -> Result<(), BoxError>) -> Result<Bytes, WriteFault> {
    let mut body = Vec::new();
    encode(&mut body)?;
    Ok(body.into())
}

/// What a message takes on the wire, and its compressed body, if it is sent so.
fn seal(headers: &Headers, plain: &[u8], rules: &WireRules) -> Result<(usize, Option<Vec<u8>>), WriteFault> {
    let packed = compress(plain, rules.compress_above)?;
    let size = headers.wire_size() + packed.as_ref().map_or(plain.len(), |packed| packed.len() + ENCODING_BYTES);
    Ok((size, packed))
}

fn sealed(mut headers: Headers, plain: Bytes, packed: Option<Vec<u8>>) -> (Headers, Bytes) {
    let Some(packed) = packed else { return (headers, plain) };
    headers.push_own(headers::CONTENT_ENCODING, GZIP);
    (headers, packed.into())
}

/// Refuses a user's header that says something else about the body than what is true: readers would believe it.
fn check_claims(user: &Headers, media_type: Option<&str>) -> Result<(), WriteFault> {
    for (name, value) in user.iter() {
        let is = |own: &str| name.eq_ignore_ascii_case(own);
        if is(headers::CONTENT_TYPE) && is_json(value) == media_type.is_some() {
            let form = if media_type.is_some() { "not JSON" } else { "JSON in an envelope" };
            return Err(format!("header {name:?} says {value:?}, and the body is {form}; leave the header out").into());
        }
        if is(headers::CONTENT_ENCODING) && value.trim().eq_ignore_ascii_case(GZIP) {
            let text =
                format!("header {name:?} says {value:?}; leave it out, the publisher writes it when it compresses");
            return Err(text.into());
        }
    }
    Ok(())
}

/// The envelope up to where its metadata begin. The body is encoded once, in its place.
fn write_head(
    into: &mut Vec<u8>,
    sheet: &Sheet<'_>,
    encode: impl Fn(&mut Vec<u8>) -> Result<(), BoxError>,
    mirror: bool,
) -> Result<(), WriteFault> {
    into.reserve(ENVELOPE_CAPACITY);
    text(into, b"{\"event_id\":", sheet.event_id)?;
    field(into, b",\"schema_version\":", &sheet.schema_version)?;
    text(into, b",\"topic\":", sheet.topic)?;
    if let Some(message_type) = sheet.message_type {
        text(into, b",\"message_type\":", message_type)?;
    }
    text(into, b",\"producer\":", sheet.producer)?;
    into.extend_from_slice(b",\"occurred_at\":\"");
    TIME.print_timestamp(&sheet.occurred_at, &mut *into)?;
    into.extend_from_slice(b"\",\"message\":");
    let start = into.len();
    encode(into)?;
    let end = into.len();
    if end <= start {
        return Err("its `Encode` wrote no bytes, and an envelope needs one JSON value".into());
    }
    if mirror {
        into.extend_from_slice(b",\"payload\":");
        into.extend_from_within(start..end);
    }
    Ok(())
}

fn write_tail(into: &mut Vec<u8>, metadata: &Metadata) -> Result<(), WriteFault> {
    if !metadata.is_empty() {
        let start = into.len();
        field(into, b",\"metadata\":", metadata)?;
        let size = into.len() - start - b",\"metadata\":".len();
        // No reader would take them.
        if size > METADATA_BYTES_MAX {
            let text = format!("its metadata have {size} bytes, more than {METADATA_BYTES_MAX}; move them to the body");
            return Err(text.into());
        }
    }
    into.push(b'}');
    Ok(())
}

/// A text that most often needs no escapes.
fn text(into: &mut Vec<u8>, key: &[u8], value: &str) -> Result<(), WriteFault> {
    let is_plain = value.bytes().fold(true, |plain, byte| plain & !matches!(byte, 0..=0x1F | b'"' | b'\\'));
    if !is_plain {
        return field(into, key, value);
    }
    into.extend_from_slice(key);
    into.push(b'"');
    into.extend_from_slice(value.as_bytes());
    into.push(b'"');
    Ok(())
}

fn field<T: Serialize + ?Sized>(into: &mut Vec<u8>, key: &[u8], value: &T) -> Result<(), WriteFault> {
    into.extend_from_slice(key);
    Ok(serde_json::to_writer(into, value)?)
}

/// The user's headers and those of the format. Without an envelope, headers say what it would have said.
fn write_headers(sheet: &mut Sheet<'_>, media_type: Option<&str>, full: bool) -> Headers {
    let mut written = std::mem::take(&mut sheet.headers);
    // What a reader of bytes without an envelope assumes anyway.
    let is_assumed = sheet.is_core && !sheet.is_enveloped;
    if !sheet.is_core {
        written.push_own(headers::MESSAGE_ID, sheet.message_id);
    }
    let trace_id = sheet.metadata.trace_id.as_deref();
    let is_bare = media_type.is_some() || !sheet.is_enveloped;
    if let Some(media_type) = media_type.filter(|media_type| !(is_assumed && *media_type == BYTES))
        && written.get(headers::CONTENT_TYPE).is_none()
    {
        written.push_own(headers::CONTENT_TYPE, header_safe(media_type, LABEL_BYTES_MAX));
    }
    if is_bare {
        written.remove(bare::EVENT_ID);
        if sheet.loses_message_id || sheet.message_id != sheet.event_id {
            written.push_own(bare::EVENT_ID, sheet.event_id);
        }
        if media_type.is_some() && !is_assumed {
            written.remove(bare::OCCURRED_AT);
            written.push_own(bare::OCCURRED_AT, format!("{:.3}", sheet.occurred_at));
        }
        label(&mut written, bare::CORRELATION_ID, sheet.metadata.correlation_id.as_deref());
        label(&mut written, bare::CAUSATION_ID, sheet.metadata.causation_id.as_deref());
    }
    if full {
        written.push_own(headers::TOPIC, sheet.topic);
        written.push_own(headers::PUBLISHED_AT, format!("{:.3}", sheet.published_at));
    }
    if full || is_bare {
        label(&mut written, headers::TRACE_ID, trace_id);
    }
    written
}

/// What another program may have sent us is made safe for a header, and comes before what the user wrote there.
fn label(written: &mut Headers, name: &'static str, value: Option<&str>) {
    let value = value.map(|value| header_safe(value, LABEL_BYTES_MAX)).filter(|value| !value.is_empty());
    let Some(value) = value else { return };
    written.remove(name);
    written.push_own(name, value);
}

/// What the header that marks a compressed body takes on the wire.
const ENCODING_BYTES: usize = headers::CONTENT_ENCODING.len() + GZIP.len() + ": \r\n".len();

/// The compressed body, if it is above the threshold, readers will inflate that much, and it is worth it.
fn compress(plain: &[u8], above: Option<usize>) -> Result<Option<Vec<u8>>, WriteFault> {
    if above.is_none_or(|above| plain.len() <= above) || plain.len() > INFLATE_MAX {
        return Ok(None);
    }
    let packed = gzip::deflate(plain)?;
    Ok((packed.len() + ENCODING_BYTES < plain.len()).then_some(packed))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{EnvelopeIn, Raw};
    use super::*;

    const PLAIN: WireRules = WireRules { full_headers: false, mirror_payload: false, compress_above: None };
    const GOLDEN: &str = r#"{"event_id":"e-1","schema_version":1,"topic":"order.created","message_type":"OrderCreated","producer":"orders","occurred_at":"2026-01-02T03:04:05.678Z","message":{"order_id":"ORD-1"},"metadata":{"correlation_id":"c"}}"#;

    fn sheet() -> Sheet<'static> {
        Sheet {
            event_id: "e-1",
            message_id: "e-1",
            loses_message_id: false,
            schema_version: 1,
            topic: "order.created",
            message_type: Some("OrderCreated"),
            producer: "orders",
            occurred_at: "2026-01-02T03:04:05.678912Z".parse().unwrap(),
            published_at: "2026-01-02T03:04:06Z".parse().unwrap(),
            metadata: Cow::Owned(Metadata { correlation_id: Some("c".into()), ..Metadata::default() }),
            is_enveloped: true,
            is_core: false,
            headers: Headers::default(),
        }
    }

    fn pairs(headers: &Headers) -> Vec<(&str, &str)> {
        headers.iter().collect()
    }

    fn text(body: &Bytes) -> &str {
        std::str::from_utf8(body).unwrap()
    }

    #[test]
    fn the_written_form_is_the_documented_one() {
        let order = json!({"order_id": "ORD-1"});
        let (headers, body) = write(sheet(), &order, &PLAIN, usize::MAX).unwrap();
        assert_eq!(text(&body), GOLDEN);
        assert_eq!(pairs(&headers), [("Nats-Msg-Id", "e-1")]);
        let bare = Sheet { message_type: None, metadata: Cow::default(), ..sheet() };
        let (_, body) = write(bare, &order, &PLAIN, usize::MAX).unwrap();
        assert_eq!(
            text(&body),
            GOLDEN
                .replace(r#""message_type":"OrderCreated","#, "")
                .replace(r#","metadata":{"correlation_id":"c"}"#, "")
        );
    }

    #[test]
    fn metadata_that_no_reader_would_take_are_not_written() {
        for (size, is_written) in [(METADATA_BYTES_MAX, true), (METADATA_BYTES_MAX + 1, false)] {
            let mut sheet = Sheet { metadata: Cow::default(), ..sheet() };
            let text = "a".repeat(size - r#"{"x":""}"#.len());
            sheet.metadata.to_mut().set("x".to_owned(), text.into());
            let written = write(sheet, &1, &PLAIN, usize::MAX);
            assert_eq!(written.is_ok(), is_written, "{size}");
            if let Ok((headers, body)) = written {
                assert!(EnvelopeIn::read(&body, &headers, 0).is_ok());
            }
        }
    }

    #[test]
    fn the_body_stands_twice_where_old_readers_need_it() {
        let rules = WireRules { mirror_payload: true, ..PLAIN };
        let (_, body) = write(sheet(), &[1, 2], &rules, usize::MAX).unwrap();
        assert!(text(&body).ends_with(r#","message":[1,2],"payload":[1,2],"metadata":{"correlation_id":"c"}}"#));
    }

    #[test]
    fn full_headers_say_what_the_envelope_says() {
        let rules = WireRules { full_headers: true, ..PLAIN };
        let mut sheet = Sheet { message_id: "e-1:order.created", ..sheet() };
        sheet.metadata.to_mut().trace_id = Some("t\r\nNats-Rollup: all".into());
        sheet.headers.push("x-own", "1");
        let (headers, _) = write(sheet, "x", &rules, usize::MAX).unwrap();
        let expected = [
            ("x-own", "1"),
            ("Nats-Msg-Id", "e-1:order.created"),
            ("topic", "order.created"),
            ("Nats-Published-At", "2026-01-02T03:04:06.000Z"),
            ("trace_id", "t  Nats-Rollup: all"),
        ];
        assert_eq!(pairs(&headers), expected);
    }

    #[test]
    fn bytes_have_no_envelope_and_say_the_rest_in_headers() {
        let (headers, body) = write(sheet(), &Raw(Bytes::new()), &PLAIN, usize::MAX).unwrap();
        assert!(body.is_empty() && headers.get("x-event-id").is_none());
        assert_eq!(headers.get("content-type"), Some("application/octet-stream"));
        let mut sheet = Sheet { message_id: "e-1:a", ..sheet() };
        sheet.metadata.to_mut().causation_id = Some("d".into());
        sheet.metadata.to_mut().trace_id = Some("t".into());
        // An id is the publisher's business; what else the user says stays where the publisher says nothing.
        sheet.headers = [("x-event-id", "mine"), ("Content-Type", "image/png")]
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .into_iter()
            .collect();
        let (headers, body) = write(sheet, &Raw(Bytes::from_static(b"\x89PNG")), &PLAIN, usize::MAX).unwrap();
        assert_eq!(&body[..], b"\x89PNG");
        let expected = [
            ("Content-Type", "image/png"),
            ("Nats-Msg-Id", "e-1:a"),
            ("x-event-id", "e-1"),
            ("x-occurred-at", "2026-01-02T03:04:05.678Z"),
            ("x-correlation-id", "c"),
            ("x-causation-id", "d"),
            ("trace_id", "t"),
        ];
        assert_eq!(pairs(&headers), expected);
    }

    #[test]
    fn json_without_an_envelope_is_the_whole_body() {
        let bare = Sheet { is_enveloped: false, ..sheet() };
        let (headers, body) = write(bare, &json!({"order_id": "ORD-1"}), &PLAIN, usize::MAX).unwrap();
        assert_eq!(text(&body), r#"{"order_id":"ORD-1"}"#);
        assert_eq!(pairs(&headers), [("Nats-Msg-Id", "e-1"), ("x-correlation-id", "c")]);
        let one_of_many = Sheet { is_enveloped: false, message_id: "e-1:a", metadata: Cow::default(), ..sheet() };
        let (headers, body) = write(one_of_many, &7, &PLAIN, usize::MAX).unwrap();
        assert_eq!(pairs(&headers), [("Nats-Msg-Id", "e-1:a"), ("x-event-id", "e-1")]);
        let read = EnvelopeIn::read_plain(&body, &headers, 0).unwrap();
        assert_eq!((&read.body[..], read.event_id.as_deref()), (&b"7"[..], Some("e-1")));
    }

    #[test]
    fn bytes_that_nobody_stores_have_no_headers_without_an_envelope() {
        let core = |is_enveloped| Sheet { is_core: true, is_enveloped, metadata: Cow::default(), ..sheet() };
        let raw = Raw(Bytes::from_static(b"x"));
        let (headers, body) = write(core(false), &raw, &PLAIN, usize::MAX).unwrap();
        assert_eq!((pairs(&headers), &body[..]), (vec![], &b"x"[..]));
        assert_eq!(body.as_ptr(), raw.0.as_ptr(), "not copied");
        let (headers, _) = write(core(true), &raw, &PLAIN, usize::MAX).unwrap();
        let expected = [("Content-Type", BYTES), ("x-occurred-at", "2026-01-02T03:04:05.678Z")];
        assert_eq!(pairs(&headers), expected, "a reader who waits for an envelope");
        let caused = Metadata { trace_id: Some("t".into()), ..Metadata::default() };
        let (headers, _) =
            write(Sheet { metadata: Cow::Owned(caused), ..core(false) }, &raw, &PLAIN, usize::MAX).unwrap();
        assert_eq!(pairs(&headers), [("trace_id", "t")]);
        let (headers, body) = write(core(true), "x", &PLAIN, usize::MAX).unwrap();
        assert!(pairs(&headers).is_empty() && text(&body).contains(r#""event_id":"e-1""#));
    }

    #[test]
    fn headers_that_contradict_the_body_are_refused() {
        let raw = Raw(Bytes::from_static(b"{}"));
        let with = |name: &str, value: &str| Sheet {
            headers: [(name.to_owned(), value.to_owned())].into_iter().collect(),
            ..sheet()
        };
        for (name, value, as_json, as_bytes) in [
            ("content-type", "text/plain", false, true),
            ("Content-Type", "application/json", true, false),
            ("content-encoding", "GZIP", false, false),
            ("Content-Encoding", "identity", true, true),
        ] {
            assert_eq!(write(with(name, value), "x", &PLAIN, usize::MAX).is_ok(), as_json, "{name}: {value}");
            assert_eq!(write(with(name, value), &raw, &PLAIN, usize::MAX).is_ok(), as_bytes, "{name}: {value}");
        }
    }

    #[test]
    fn a_body_is_compressed_above_the_threshold_and_where_it_helps() {
        let long = "a".repeat(2_000);
        let plain = write(sheet(), &long, &PLAIN, usize::MAX).unwrap().1.len();
        for (above, packed) in [(plain, false), (plain - 1, true)] {
            let rules = WireRules { compress_above: Some(above), ..PLAIN };
            let (headers, body) = write(sheet(), &long, &rules, usize::MAX).unwrap();
            assert_eq!(headers.get("Content-Encoding") == Some("gzip"), packed, "{above}");
            assert_eq!(body.len() < 500, packed);
            let envelope = EnvelopeIn::read(&body, &headers, plain).unwrap();
            assert_eq!(envelope.body, format!("\"{long}\""));
        }
        let rules = WireRules { compress_above: Some(0), ..PLAIN };
        let raw = Raw(gzip::deflate(long.as_bytes()).unwrap().into());
        let (headers, body) = write(sheet(), &raw, &rules, usize::MAX).unwrap();
        assert_eq!((headers.get("Content-Encoding"), body), (None, raw.0), "gzip does not make it smaller");
        let huge = Raw(vec![0; INFLATE_MAX + 1].into());
        let (headers, _) = write(sheet(), &huge, &rules, usize::MAX).unwrap();
        assert_eq!(headers.get("Content-Encoding"), None, "no reader would inflate it");
    }

    #[test]
    fn what_is_too_large_sheds_metadata_in_order_and_then_fails() {
        let full = || {
            let mut sheet = sheet();
            let own = || Some("0".repeat(100));
            sheet.metadata =
                Cow::Owned(Metadata { app_version: own(), session_id: own(), span_id: own(), ..Metadata::default() });
            sheet.metadata.to_mut().other.insert("parent_span_id".into(), "0".repeat(100).into());
            sheet
        };
        let kept = |metadata: &Metadata| {
            let other = metadata.other.contains_key("parent_span_id");
            [metadata.app_version.is_some(), metadata.session_id.is_some(), other, metadata.span_id.is_some()]
        };
        let size = |(headers, body): &(Headers, Bytes)| headers.wire_size() + body.len();
        let mut limit = usize::MAX;
        for dropped in 0..=4 {
            let written = write(full(), "x", &PLAIN, limit).unwrap();
            let envelope = EnvelopeIn::read(&written.1, &written.0, 0).unwrap();
            let expected: [bool; 4] = std::array::from_fn(|at| at >= dropped);
            assert_eq!(kept(&envelope.metadata), expected);
            assert!(size(&written) <= limit);
            let exact = write(full(), "x", &PLAIN, size(&written)).unwrap();
            assert_eq!(exact, written, "what fits to the byte sheds nothing");
            limit = size(&written) - 1;
        }
        let Err(WriteFault::TooLarge { size }) = write(full(), "x", &PLAIN, limit) else {
            panic!("nothing is left to shed")
        };
        assert_eq!(size, limit + 1);
        let raw = Raw(vec![0; 100].into());
        assert!(matches!(write(full(), &raw, &PLAIN, 100), Err(WriteFault::TooLarge { size }) if size > 100));
        let rules = WireRules { compress_above: Some(0), ..PLAIN };
        let (headers, body) = write(full(), &"x".repeat(10_000), &rules, 500).unwrap();
        assert!(headers.wire_size() + body.len() <= 500, "what counts is what is sent");
        let none = Sheet { metadata: Cow::default(), ..sheet() };
        let (headers, body) = write(none, &"x".repeat(10_000), &rules, 500).unwrap();
        let sent = headers.wire_size() + body.len();
        let none = Sheet { metadata: Cow::default(), ..sheet() };
        let fault = write(none, &"x".repeat(10_000), &rules, sent - 1);
        assert!(matches!(fault, Err(WriteFault::TooLarge { size }) if size == sent), "{fault:?}");
    }

    #[test]
    fn a_value_that_cannot_be_written_is_a_fault() {
        struct Empty;
        impl Encode for Empty {
            const CONTENT_TYPE: Option<&'static str> = Some("application/hal+json");
            fn encode(&self, _: &mut Vec<u8>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
                Ok(())
            }
        }
        assert!(matches!(write(sheet(), &Empty, &PLAIN, usize::MAX), Err(WriteFault::Encode(_))));
        let keys = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert!(matches!(write(sheet(), &keys, &PLAIN, usize::MAX), Err(WriteFault::Encode(_))));
    }

    #[cfg(feature = "prost")]
    #[test]
    fn protocol_buffers_come_back() {
        use prost::Message;
        let value = super::super::Proto("ORD-1".to_owned());
        let (headers, body) = write(sheet(), &value, &PLAIN, usize::MAX).unwrap();
        assert_eq!(headers.get("Content-Type"), Some("application/protobuf"));
        let read = EnvelopeIn::read(&body, &headers, 0).unwrap();
        assert_eq!(String::decode(read.body).unwrap(), "ORD-1");
    }
}
