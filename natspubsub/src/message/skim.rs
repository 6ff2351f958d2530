//! The quick way through an envelope as natspubsub writes it: where its fields lie, without making anything of them.
//!
//! Whatever is unusual (white space, an escape in a label, a field twice, a fault) is left to `serde_json`, which also has
//! the words for it: what is found here, it would find too. To skip the body of a message is the largest part of what an
//! envelope costs, and `serde_json` takes three times as many instructions for it.

use super::depth::DEPTH_MAX;

/// Where the fields lie that an envelope has; metadata, body and unknown fields are JSON.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Skimmed<'a> {
    pub(super) event_id: Option<&'a str>,
    pub(super) occurred_at: Option<&'a str>,
    pub(super) trace_id: Option<&'a str>,
    pub(super) metadata: Option<&'a str>,
    pub(super) message: Option<&'a str>,
    pub(super) payload: Option<&'a str>,
    pub(super) data: Option<&'a str>,
}

/// The fields of an envelope, or `None` where it has to be looked at closely.
pub(super) fn skim(text: &str) -> Option<Skimmed<'_>> {
    // One look at all of it, sixteen bytes at a time, makes those at each text short.
    let (mut controls, mut escapes) = (0_u8, 0_u8);
    for byte in text.bytes() {
        controls |= u8::from(byte < 0x20);
        escapes |= u8::from(byte == b'\\');
    }
    match (controls, escapes) {
        (0, 0) => skim_as::<false>(text),
        (0, _) => skim_as::<true>(text),
        _ => None,
    }
}

/// The same of a text without control characters, which has escapes or none.
fn skim_as<const ESCAPES: bool>(text: &str) -> Option<Skimmed<'_>> {
    let mut found = Skimmed::default();
    let mut rest = Rest::<ESCAPES> { text, at: 0 };
    rest.eat(b'{')?;
    loop {
        let name = rest.plain_text()?;
        rest.eat(b':')?;
        let (slot, is_text) = match name {
            "event_id" => (Some(&mut found.event_id), true),
            "occurred_at" => (Some(&mut found.occurred_at), true),
            "trace_id" => (Some(&mut found.trace_id), true),
            "metadata" => (Some(&mut found.metadata), false),
            "message" => (Some(&mut found.message), false),
            "payload" => (Some(&mut found.payload), false),
            "data" => (Some(&mut found.data), false),
            _ => (None, false),
        };
        let value = if is_text { rest.plain_text()? } else { rest.value()? };
        if let Some(slot) = slot
            && slot.replace(value).is_some()
        {
            return None;
        }
        match rest.next()? {
            b',' => {}
            b'}' if rest.at == text.len() => return Some(found),
            _ => return None,
        }
    }
}

/// What is not read yet.
struct Rest<'a, const ESCAPES: bool> {
    text: &'a str,
    at: usize,
}

impl<'a, const ESCAPES: bool> Rest<'a, ESCAPES> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn eat(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    /// A text without escapes, without its quotes.
    fn plain_text(&mut self) -> Option<&'a str> {
        self.eat(b'"')?;
        let begin = self.at;
        self.at += plain::<ESCAPES>(&self.text.as_bytes()[begin..]);
        self.eat(b'"')?;
        Some(&self.text[begin..self.at - 1])
    }

    /// A value of any kind.
    fn value(&mut self) -> Option<&'a str> {
        let begin = self.at;
        self.at = skip::<ESCAPES>(self.text.as_bytes(), begin)?;
        Some(&self.text[begin..self.at])
    }
}

/// One bit each says what a value is inside of.
const _: () = assert!(DEPTH_MAX <= u64::BITS as usize);

/// Where the value ends that begins at `at`, if it does not nest too deep.
fn skip<const ESCAPES: bool>(json: &[u8], mut at: usize) -> Option<usize> {
    let (mut objects, mut depth) = (0_u64, 0_usize);
    loop {
        let open = *json.get(at)?;
        at = match open {
            b'"' => skip_text::<ESCAPES>(json, at)?,
            // The envelope counts too.
            b'{' | b'[' if depth + 1 == DEPTH_MAX => return None,
            b'{' | b'[' if *json.get(at + 1)? == open + 2 => at + 2,
            b'{' => {
                (objects, depth) = (objects << 1 | 1, depth + 1);
                at = skip_name::<ESCAPES>(json, at + 1)?;
                continue;
            }
            b'[' => {
                (objects, depth) = (objects << 1, depth + 1);
                at += 1;
                continue;
            }
            b'-' | b'0'..=b'9' => skip_number(json, at)?,
            b't' => skip_word(json, at, b"true")?,
            b'f' => skip_word(json, at, b"false")?,
            b'n' => skip_word(json, at, b"null")?,
            _ => return None,
        };
        // A value has ended, and with it perhaps what it is inside of.
        loop {
            if depth == 0 {
                return Some(at);
            }
            let is_object = objects & 1 == 1;
            let next = *json.get(at)?;
            at += 1;
            match next {
                b',' if is_object => at = skip_name::<ESCAPES>(json, at)?,
                b',' => {}
                b'}' if is_object => {
                    (objects, depth) = (objects >> 1, depth - 1);
                    continue;
                }
                b']' if !is_object => {
                    (objects, depth) = (objects >> 1, depth - 1);
                    continue;
                }
                _ => return None,
            }
            break;
        }
    }
}

fn skip_word(json: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    json[at..].starts_with(word).then_some(at + word.len())
}

/// The name of a field, and its colon.
fn skip_name<const ESCAPES: bool>(json: &[u8], at: usize) -> Option<usize> {
    let end = skip_text::<ESCAPES>(json, at)?;
    (*json.get(end)? == b':').then_some(end + 1)
}

fn skip_text<const ESCAPES: bool>(json: &[u8], at: usize) -> Option<usize> {
    if *json.get(at)? != b'"' {
        return None;
    }
    let mut at = at + 1;
    loop {
        at += plain::<ESCAPES>(&json[at..]);
        match *json.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' if matches!(*json.get(at + 1)?, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
            _ => return None,
        }
    }
}

fn skip_number(json: &[u8], mut at: usize) -> Option<usize> {
    let is = |at: usize, byte: u8| json.get(at) == Some(&byte);
    at += usize::from(is(at, b'-'));
    at = if is(at, b'0') { at + 1 } else { skip_digits(json, at)? };
    if is(at, b'.') {
        at = skip_digits(json, at + 1)?;
    }
    if is(at, b'e') || is(at, b'E') {
        at += 1;
        at += usize::from(is(at, b'+') || is(at, b'-'));
        at = skip_digits(json, at)?;
    }
    Some(at)
}

/// At least one.
fn skip_digits(json: &[u8], at: usize) -> Option<usize> {
    let digits = json.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0).then_some(at + digits)
}

/// How many bytes come before the next quote or backslash. Eight at a time: the highest bit of each byte says whether it is
/// one (Mycroft's test for a zero byte; above the first hit it may err, and that is not looked at).
fn plain<const ESCAPES: bool>(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let is_zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let mut at = 0;
    while let Some(eight) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        let quotes = is_zero(word ^ (ONES * u64::from(b'"')));
        let backslashes = if ESCAPES { is_zero(word ^ (ONES * u64::from(b'\\'))) } else { 0 };
        let found = (quotes | backslashes) & HIGH;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_special = |byte: &u8| *byte == b'"' || (ESCAPES && *byte == b'\\');
    at + bytes[at..].iter().position(is_special).unwrap_or(bytes.len() - at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// JSON as it is usually written, and bytes that are none.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("{".to_owned()),
            Just("}".to_owned()),
            Just("[".to_owned()),
            Just("]".to_owned()),
            Just(",".to_owned()),
            Just(":".to_owned()),
            Just(" ".to_owned()),
            Just("\\".to_owned()),
            Just("\\n".to_owned()),
            Just("\\u0041".to_owned()),
            Just("\u{1}".to_owned()),
            Just("-".to_owned()),
            Just("0".to_owned()),
            Just("1.5e+3".to_owned()),
            Just("01".to_owned()),
            Just("1.".to_owned()),
            Just("true".to_owned()),
            Just("null".to_owned()),
            Just("nul".to_owned()),
            Just("\"".to_owned()),
            Just("\"message\":".to_owned()),
            Just("\"event_id\":\"e\"".to_owned()),
            Just("\"x\"".to_owned()),
            "\"[a-z\u{e4}\u{20ac}]{0,20}\"",
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map("[a-z\"\\\\]{0,9}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// What `serde_json` says about the same.
    fn agrees(text: &str) -> Result<(), TestCaseError> {
        let Some(skimmed) = skim(text) else { return Ok(()) };
        let read: Result<Value, _> = serde_json::from_str(text);
        let Ok(Value::Object(read)) = read else {
            // A number may be too large for a value, and is JSON all the same.
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok(), "{text}");
            return Ok(());
        };
        let value = |json: Option<&str>| json.map(|json| serde_json::from_str::<Value>(json).unwrap());
        for (name, found) in [
            ("metadata", skimmed.metadata),
            ("message", skimmed.message),
            ("payload", skimmed.payload),
            ("data", skimmed.data),
        ] {
            let found = value(found);
            prop_assert_eq!(found.as_ref(), read.get(name), "{} of {}", name, text);
        }
        for (name, found) in
            [("event_id", skimmed.event_id), ("occurred_at", skimmed.occurred_at), ("trace_id", skimmed.trace_id)]
        {
            prop_assert_eq!(found, read.get(name).and_then(Value::as_str), "{} of {}", name, text);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn what_is_found_is_what_serde_json_finds(before in pieces(), body in pieces(), after in pieces()) {
            agrees(&format!("{{\"event_id\":\"e\",\"message\":{body}}}"))?;
            agrees(&format!("{{{before}\"message\":{body}{after}}}"))?;
            agrees(&before)?;
        }

        #[test]
        fn whatever_is_written_is_found(body in json(), id in "[a-z0-9-]{1,40}") {
            let text = format!("{{\"event_id\":\"{id}\",\"schema_version\":1,\"message\":{body},\"metadata\":{{}}}}");
            agrees(&text)?;
            let is_escaped = text.contains("\\u");
            prop_assert!(is_escaped || skim(&text).is_some(), "{text}");
        }

        #[test]
        fn what_nests_too_deep_is_left_to_others(depth in 55_usize..70, inner in "\\[\\]|\\{\\}|1") {
            let text = format!("{{\"message\":{}{inner}{}}}", "[".repeat(depth), "]".repeat(depth));
            let is_too_deep = super::super::depth::is_too_deep(text.as_bytes());
            prop_assert_eq!(skim(&text).is_none(), is_too_deep, "{}", text);
        }

        #[test]
        fn eight_bytes_at_a_time_are_as_good_as_one(text in "[ -~\u{e4}\u{20ac}\u{0}-\u{20}]{0,60}") {
            let bytes = text.as_bytes();
            let slow = |wanted: &[u8]| bytes.iter().position(|byte| wanted.contains(byte)).unwrap_or(bytes.len());
            prop_assert_eq!(plain::<true>(bytes), slow(b"\"\\"));
            prop_assert_eq!(plain::<false>(bytes), slow(b"\""));
        }
    }
}
