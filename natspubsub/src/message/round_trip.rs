//! Goal: what is written is read. Method: any value, any metadata, any rules; and any bytes, which must not panic.

use std::borrow::Cow;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::{EnvelopeIn, Headers, INFLATE_MAX, Metadata, Raw, Sheet, WireRules, gzip, write};

/// The message id is never the event's.
fn sheet(event_id: &str, occurred_at: Timestamp) -> Sheet<'_> {
    Sheet {
        event_id,
        message_id: "other than the event's",
        loses_message_id: false,
        schema_version: 1,
        topic: "order.created",
        message_type: Some("OrderCreated"),
        producer: "orders",
        occurred_at,
        published_at: occurred_at,
        metadata: Cow::default(),
        is_enveloped: true,
        is_core: false,
        headers: Headers::default(),
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_rules() -> impl Strategy<Value = WireRules> {
    (any::<bool>(), any::<bool>(), prop::option::of(0..600_usize)).prop_map(
        |(full_headers, mirror_payload, compress_above)| WireRules { full_headers, mirror_payload, compress_above },
    )
}

fn any_metadata() -> impl Strategy<Value = Metadata> {
    let own = || prop::option::of(any::<String>());
    let other = prop::collection::btree_map("any_[a-z]{1,8}", any::<String>().prop_map(Value::from), 0..4);
    (own(), own(), own(), own(), other).prop_map(|(trace_id, span_id, user_id, session_id, other)| {
        let other: Map<String, Value> = other.into_iter().collect();
        Metadata { trace_id, span_id, user_id, session_id, other, ..Metadata::default() }
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        (value, metadata, rules) in (any_json(), any_metadata(), any_rules()),
        (event_id, second) in ("[A-Za-z0-9._:-]{1,128}", 0..4_000_000_000_i64),
    ) {
        let occurred_at = Timestamp::from_second(second).unwrap();
        let sheet = Sheet { metadata: Cow::Borrowed(&metadata), ..sheet(&event_id, occurred_at) };
        let (headers, body) = write(sheet, &value, &rules, usize::MAX).unwrap();
        let envelope = EnvelopeIn::read(&body, &headers, INFLATE_MAX).unwrap();
        prop_assert_eq!(&envelope.body[..], &serde_json::to_vec(&value).unwrap()[..]);
        prop_assert_eq!(envelope.event_id, Some(event_id));
        prop_assert_eq!(envelope.occurred_at, Some(occurred_at));
        prop_assert_eq!(&envelope.trace_id, &metadata.trace_id);
        prop_assert_eq!(envelope.metadata, metadata);
    }

    #[test]
    fn bytes_that_are_written_are_read(
        (bytes, rules) in (prop::collection::vec(any::<u8>(), 0..2_000), any_rules()),
        (event_id, label, second) in ("[A-Za-z0-9._:-]{1,128}", "[!-~]{1,100}", 0..4_000_000_000_i64),
    ) {
        let occurred_at = Timestamp::from_second(second).unwrap();
        let metadata = Metadata { trace_id: Some(label.clone()), causation_id: Some(label), ..Metadata::default() };
        let sheet = Sheet { metadata: Cow::Borrowed(&metadata), ..sheet(&event_id, occurred_at) };
        let (headers, body) = write(sheet, &Raw(bytes.clone().into()), &rules, usize::MAX).unwrap();
        let envelope = EnvelopeIn::read(&body, &headers, INFLATE_MAX).unwrap();
        prop_assert_eq!(&envelope.body[..], &bytes[..]);
        prop_assert_eq!(envelope.event_id, Some(event_id));
        prop_assert_eq!(envelope.occurred_at, Some(occurred_at));
        prop_assert_eq!(envelope.metadata, metadata);
    }

    #[test]
    fn no_bytes_are_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), packed in any::<bool>()) {
        let bytes = if packed { [&gzip::MAGIC[..], &[8, 0], &bytes].concat() } else { bytes };
        let _ = EnvelopeIn::read(&bytes.into(), &Headers::default(), 100);
    }
}
