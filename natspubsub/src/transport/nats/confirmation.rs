//! What a stream says about a message.

use std::borrow::Cow;

use serde::Deserialize;

use crate::transport::port::{PublishFault, Stored};

/// `err_code` while a message of the same id is being stored.
const IN_PROCESS: u32 = 10158;

/// `err_code` of a stream that could not store a message.
const STORE_FAILED: u32 = 10077;

/// `err_code` of a server or stream that takes no more messages for a moment: JetStream is not available (10008), its
/// resources are used up (10023), too many messages wait in the stream (10167).
const PASSING: [u32; 3] = [10008, 10023, 10167];

/// What the server says about a message.
#[derive(Deserialize)]
struct PublishAck<'a> {
    #[serde(borrow, default)]
    stream: Cow<'a, str>,
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    duplicate: bool,
    #[serde(borrow)]
    error: Option<Refusal<'a>>,
}

#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(default)]
    err_code: u32,
    #[serde(borrow, default)]
    description: Cow<'a, str>,
}

/// What became of a message.
pub(super) fn read(reply: &[u8]) -> Result<Stored, PublishFault> {
    if let Some(stored) = plain(reply) {
        return Ok(stored);
    }
    let confirmation: PublishAck<'_> = serde_json::from_slice(reply)
        .map_err(|error| PublishFault::Unknown(format!("the confirmation is not understood: {error}")))?;
    match confirmation {
        PublishAck { error: Some(refusal), .. } => Err(refusal.fault()),
        PublishAck { seq: 0, .. } => Err(PublishFault::Unknown("the confirmation has no sequence".to_owned())),
        PublishAck { stream, seq: sequence, duplicate, .. } => {
            Ok(Stored { stream: stream.into_owned(), sequence, duplicate })
        }
    }
}

/// The confirmation that servers write for nearly every message, `{"stream":"S", "seq":7}`, in a tenth of the time that any
/// JSON takes. `None` for everything else.
fn plain(reply: &[u8]) -> Option<Stored> {
    let rest = reply.strip_prefix(b"{\"stream\":\"")?;
    let (stream, rest) = rest.split_at(rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))?);
    let rest = rest.strip_prefix(b"\",")?;
    let digits = rest.strip_prefix(b" ").unwrap_or(rest).strip_prefix(b"\"seq\":")?.strip_suffix(b"}")?;
    let digits =
        std::str::from_utf8(digits).ok().filter(|digits| digits.starts_with(|first| matches!(first, '1'..='9')))?;
    let stream = std::str::from_utf8(stream).ok()?.to_owned();
    Some(Stored { stream, sequence: digits.parse().ok()?, duplicate: false })
}

impl Refusal<'_> {
    fn fault(&self) -> PublishFault {
        let Self { err_code, description } = self;
        let text = format!("{description} ({err_code})");
        match *err_code {
            // The same message is being stored right now: an earlier attempt has arrived.
            IN_PROCESS => PublishFault::Unknown(text),
            // Also what a full stream says, which is certain; anything else that the store says may not be the last word.
            STORE_FAILED if !description.starts_with("maximum") => PublishFault::Unknown(text),
            code if PASSING.contains(&code) => PublishFault::Busy(text),
            _ => PublishFault::Rejected(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What JSON says, without the short cut.
    fn thorough(reply: &[u8]) -> Option<Stored> {
        let PublishAck { stream, seq, duplicate, error } = serde_json::from_slice(reply).ok()?;
        error.is_none().then(|| Stored { stream: stream.into_owned(), sequence: seq, duplicate })
    }

    #[test]
    fn the_short_cut_says_what_json_says_or_nothing() {
        for usual in [r#"{"stream":"orders", "seq":7}"#, "{\"stream\":\"gr\u{fc}n\",\"seq\":18446744073709551615}"] {
            assert_eq!(plain(usual.as_bytes()), thorough(usual.as_bytes()), "{usual}");
            assert!(plain(usual.as_bytes()).is_some(), "{usual}");
            // Whatever one byte more, less or other makes of it.
            for at in 0..usual.len() {
                for byte in 0..=u8::MAX {
                    let (mut other, mut more, mut less) =
                        (usual.as_bytes().to_vec(), usual.as_bytes().to_vec(), usual.as_bytes().to_vec());
                    other[at] = byte;
                    more.insert(at, byte);
                    less.remove(at);
                    for text in [other, more, less] {
                        let found = plain(&text);
                        let shown = String::from_utf8_lossy(&text).into_owned();
                        assert!(found.is_none() || found == thorough(&text), "{shown}: {found:?}");
                    }
                }
            }
        }
        for other in [
            r#"{"stream":"a\\u0062", "seq":7}"#,
            r#"{"stream":"a", "seq":7, "duplicate": true}"#,
            r#"{"stream":"a", "seq":0}"#,
        ] {
            assert_eq!(plain(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn confirmations_are_read() {
        let stored = Stored { stream: "s".into(), sequence: 7, duplicate: false };
        assert_eq!(read(br#"{"stream":"s","seq":7}"#), Ok(stored.clone()));
        let again = Stored { duplicate: true, ..stored };
        assert_eq!(read(br#"{"stream":"s","domain":"d","seq":7,"duplicate":true}"#), Ok(again));
        let full = br#"{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"stream":"s","seq":0}"#;
        assert_eq!(read(full), Err(PublishFault::Rejected("maximum messages exceeded (10077)".into())));
        let code = |code: u32| read(format!(r#"{{"error":{{"err_code":{code},"description":"d"}}}}"#).as_bytes());
        assert!(matches!(code(10158), Err(PublishFault::Unknown(_))), "another attempt is being stored");
        assert!(matches!(code(10077), Err(PublishFault::Unknown(_))), "the store failed otherwise");
        assert!(matches!(code(10167), Err(PublishFault::Busy(_))), "later it is stored");
        assert!(matches!(code(10071), Err(PublishFault::Rejected(_))), "the wrong sequence stays wrong");
        for unclear in [&b""[..], b"{}", b"nonsense"] {
            assert!(matches!(read(unclear), Err(PublishFault::Unknown(_))), "{unclear:?}");
        }
    }
}
