//! Bytes to values.

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use serde::de::DeserializeOwned;

/// The body of a message as bytes: undecoded as the first argument of a handler, or published without an envelope as
/// `application/octet-stream`, unless a header `Content-Type` says something else.
///
/// ```
/// use natspubsub::prelude::*;
///
/// #[topic_subscriber("image.uploaded")]
/// async fn store(Raw(body): Raw) {
///     println!("{} bytes", body.len());
/// }
///
/// # async fn example(publisher: Publisher) -> natspubsub::Result {
/// let picture = Raw(vec![0x89, b'P', b'N', b'G'].into());
/// publisher.message(&picture).topic("image.uploaded").header("Content-Type", "image/png").publish().await?;
/// # Ok(())
/// # }
/// # fn main() {}
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw(pub Bytes);

/// Why the bytes of a message could not be read.
#[derive(Debug)]
pub(crate) struct DecodeFault(pub(crate) String);

impl fmt::Display for DecodeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DecodeFault {}

/// Whether a media type, with or without parameters, is JSON; an empty one says nothing, and JSON is what is usual.
pub(crate) fn is_json(media_type: &str) -> bool {
    let essence = media_type.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let is = |own: &str| essence.eq_ignore_ascii_case(own.as_bytes());
    let suffix = || essence.last_chunk().is_some_and(|end: &[u8; 5]| end.eq_ignore_ascii_case(b"+json"));
    essence.is_empty() || is("application/json") || is("text/json") || suffix()
}

/// The body of a received message: text that was looked at as a whole, or bytes.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Text(ByteString),
    Bytes(Bytes),
}

impl Body {
    pub(crate) fn bytes(&self) -> &Bytes {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// Reads a value from JSON. serde_json's own recursion limit (128) stays on.
    pub(crate) fn decode_json<T: DeserializeOwned>(&self) -> Result<T, DecodeFault> {
        match self {
            Self::Text(text) => decoded(serde_json::from_str(text)),
            Self::Bytes(bytes) => decode_json(bytes),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

/// Reads a value from JSON.
fn decode_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeFault> {
    // Looked at as a whole: text by text, each costs as much as all of them.
    decoded(match std::str::from_utf8(body) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(body),
    })
}

fn decoded<T>(read: serde_json::Result<T>) -> Result<T, DecodeFault> {
    read.map_err(|error| DecodeFault(format!("the body is no {}: {error}", std::any::type_name::<T>())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_of_json_are_known() {
        for json in [
            "application/json",
            "Application/JSON; charset=utf-8",
            " text/json ",
            "application/cloudevents+json",
            "application/vnd.api+JSON;v=1",
            "",
        ] {
            assert!(is_json(json), "{json}");
        }
        for other in
            ["application/octet-stream", "application/jsonlines", "text/plain; a=+json", "json", "application/protobuf"]
        {
            assert!(!is_json(other), "{other}");
        }
    }

    #[test]
    fn numbers_are_exact_or_refused() {
        assert_eq!(decode_json::<u64>(b"9007199254740993").unwrap(), 9_007_199_254_740_993);
        assert_eq!(decode_json::<i64>(b"-9007199254740993").unwrap(), -9_007_199_254_740_993);
        let value: serde_json::Value = decode_json(b"[18446744073709551615]").unwrap();
        assert_eq!(value[0].as_u64(), Some(u64::MAX));
        for text in ["1e400", "NaN", "Infinity", "-1e400", "\u{feff}1", "\"\\ud800\""] {
            assert!(decode_json::<serde_json::Value>(text.as_bytes()).is_err(), "{text}");
        }
    }
}
