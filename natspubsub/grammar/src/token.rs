//! Any text as one token of a subject, and back.

/// Stands before the two digits of an encoded byte; alone it is the empty text.
const ESCAPE: char = '_';

/// Writes any text as one token of a topic: every byte outside `[a-z0-9-]` becomes `_` and its two hexadecimal digits,
/// the empty text becomes `_`. Two different texts never give one token, also where upper case is folded.
///
/// ```
/// use natspubsub_grammar::encode_token;
/// assert_eq!(encode_token("bob.admin"), "bob_2eadmin");
/// assert_ne!(encode_token("a.b"), encode_token("a_b"));
/// assert_eq!(encode_token(""), "_");
/// ```
pub fn encode_token(text: &str) -> String {
    if text.is_empty() {
        return ESCAPE.to_string();
    }
    let mut token = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_plain(byte) {
            token.push(char::from(byte));
        } else {
            token.push_str(&format!("{ESCAPE}{byte:02x}"));
        }
    }
    token
}

/// The text of a token that [`encode_token`] wrote; `None` for any other.
///
/// ```
/// use natspubsub_grammar::decode_token;
/// assert_eq!(decode_token("bob_2eadmin").as_deref(), Some("bob.admin"));
/// assert_eq!(decode_token("bob.admin"), None);
/// assert_eq!(decode_token("_62ob"), None, "bob is written without escapes");
/// ```
pub fn decode_token(token: &str) -> Option<String> {
    let mut text = Vec::with_capacity(token.len());
    let mut rest = if token.len() == ESCAPE.len_utf8() { token.trim_start_matches(ESCAPE) } else { token };
    while let Some(first) = rest.bytes().next() {
        let length = if first == ESCAPE as u8 { 3 } else { 1 };
        let (part, behind) = rest.split_at_checked(length)?;
        text.push(match part.strip_prefix(ESCAPE) {
            Some(digits) => u8::from_str_radix(digits, 16).ok()?,
            None => first,
        });
        rest = behind;
    }
    // Only what would be written so: else two tokens were one text.
    String::from_utf8(text).ok().filter(|text| encode_token(text) == token)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}
