//! Names of streams and durables: what the server takes, and an encoding that never makes two names one.

use std::fmt;

use crate::pattern::Pattern;

/// The longest name in bytes. The server allows 255; the rest is left for subjects that carry the name.
pub const NAME_LENGTH_MAX: usize = 128;

/// A name that the server would refuse or read as something else.
///
/// ```
/// let fault = natspubsub_grammar::check_name("billing.invoices").unwrap_err();
/// assert_eq!(
///     fault.to_string(),
///     "\"billing.invoices\" contains '.'; a name consists of A-Z, a-z, 0-9, `_` and `-`, such as \"billing_invoices\"",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameFault {
    name: String,
}

impl NameFault {
    /// The name with every refused character replaced, as a suggestion.
    ///
    /// ```
    /// assert_eq!(natspubsub_grammar::check_name("a b").unwrap_err().suggestion(), "a_b");
    /// ```
    pub fn suggestion(&self) -> String {
        let replaced: String = self.name.chars().map(|c| if is_name_character(c) { c } else { '_' }).collect();
        if replaced.is_empty() { "orders-worker".into() } else { replaced.chars().take(NAME_LENGTH_MAX).collect() }
    }
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match name.chars().find(|c| !is_name_character(*c)) {
            Some(c) => write!(f, "{name:?} contains {c:?}")?,
            None if name.is_empty() => f.write_str("the name is empty")?,
            None => write!(f, "{name:?} is longer than {NAME_LENGTH_MAX} characters")?,
        }
        write!(f, "; a name consists of A-Z, a-z, 0-9, `_` and `-`, such as {:?}", self.suggestion())
    }
}

impl std::error::Error for NameFault {}

/// Checks the name of a durable or a stream.
///
/// The server reads the durable `a.b` as a name and a filter (error 10017), so the check is stricter than the server's.
///
/// ```
/// assert!(natspubsub_grammar::check_name("orders-reserve_stock").is_ok());
/// ```
///
/// # Errors
/// An empty name, more than [`NAME_LENGTH_MAX`] characters, or a character outside `[A-Za-z0-9_-]`.
pub fn check_name(name: &str) -> Result<(), NameFault> {
    if name.is_empty() || name.len() > NAME_LENGTH_MAX || !name.chars().all(is_name_character) {
        return Err(NameFault { name: name.to_owned() });
    }
    Ok(())
}

/// Writes any text as a name: every byte outside `[A-Za-z0-9-]` becomes `_` and its two hexadecimal digits,
/// so that two different texts never give one name.
///
/// ```
/// use natspubsub_grammar::encode_name;
/// assert_eq!(encode_name("order.*"), "order_2e_2a");
/// assert_ne!(encode_name("a.b"), encode_name("a_b"));
/// ```
pub fn encode_name(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("_{byte:02x}"));
        }
    }
    name
}

/// Writes a pattern as a name: dots become `_`, one token of any name becomes `ANY`, the rest `REST`, and every other byte
/// outside `[a-z0-9-]` becomes `X` and its two hexadecimal digits, so that two patterns that match different subjects never
/// give one name.
///
/// ```
/// use natspubsub_grammar::{Pattern, encode_pattern};
/// let name = |text| encode_pattern(&Pattern::subject(text).unwrap());
/// assert_eq!(name("match.accepted"), "match_accepted");
/// assert_eq!(name("chat.{room}.>"), "chat_ANY_REST");
/// assert_ne!(name("a.b"), name("a_b"));
/// ```
pub fn encode_pattern(pattern: &Pattern) -> String {
    let mut name = String::new();
    for token in pattern.filter().split('.') {
        if !name.is_empty() {
            name.push('_');
        }
        match token {
            "*" => name.push_str("ANY"),
            ">" => name.push_str("REST"),
            literal => literal.bytes().for_each(|byte| push_encoded(&mut name, byte)),
        }
    }
    name
}

fn push_encoded(name: &mut String, byte: u8) {
    if byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' {
        name.push(char::from(byte));
    } else {
        name.push_str(&format!("X{byte:02X}"));
    }
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}
