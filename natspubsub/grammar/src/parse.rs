//! Text to tokens: the only place that reads the subject grammar.

use std::ops::Range;

use crate::fault::{Fault, FaultKind};
use crate::pattern::Token;

/// The longest subject in bytes. The server drops the whole connection for control lines beyond 4 KiB, so
/// subjects stay far below.
pub const SUBJECT_LENGTH_MAX: usize = 255;

/// The most tokens a subject can have.
pub const TOKENS_MAX: usize = 32;

/// How the subjects of replies begin; also those that a server permits one user only, such as `_INBOX_orders`.
const INBOX: &str = "_INBOX";

/// Which characters a token may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// `[a-z0-9_-]`: tokens of topics.
    Topic,
    /// Every printable ASCII character that NATS does not use itself: tokens of raw subjects.
    Subject,
    /// The same, also where the server reserves the first token.
    System,
}

/// Lower-cases a topic and checks that a message can be published to it.
///
/// ```
/// assert_eq!(natspubsub_grammar::normalize_topic("Order.Created").unwrap(), "order.created");
/// assert!(natspubsub_grammar::normalize_topic("order.*").is_err());
/// assert!(natspubsub_grammar::normalize_topic("order created").is_err());
/// ```
///
/// # Errors
/// The first broken rule: an empty token, a wildcard, white space, or any character outside `[a-z0-9_-]`.
pub fn normalize_topic(text: &str) -> Result<std::borrow::Cow<'_, str>, Fault> {
    let topic = if text.bytes().any(|b| b.is_ascii_uppercase()) {
        std::borrow::Cow::Owned(text.to_ascii_lowercase())
    } else {
        std::borrow::Cow::Borrowed(text)
    };
    check_concrete(&topic, Alphabet::Topic)?;
    Ok(topic)
}

/// Checks that a message can be published to a raw subject.
///
/// ```
/// assert!(natspubsub_grammar::check_subject("chat.pod.pod-1.response").is_ok());
/// assert!(natspubsub_grammar::check_subject("$JS.API.STREAM.DELETE.X").is_err());
/// ```
///
/// # Errors
/// The first broken rule. async-nats and the server accept and store `a.*` literally, so this check is the only one.
pub fn check_subject(text: &str) -> Result<(), Fault> {
    check_concrete(text, Alphabet::Subject)
}

fn check_concrete(text: &str, alphabet: Alphabet) -> Result<(), Fault> {
    if is_plain(text.as_bytes()) {
        return Ok(());
    }
    check_shape(text, alphabet)?;
    for (at, token) in token_ranges(text) {
        if let Some(offset) = token.find(['*', '>']) {
            return Err(fault(text, FaultKind::Wildcard, at.start + offset..at.start + offset + 1, None));
        }
        check_characters(text, at, token, alphabet)?;
    }
    Ok(())
}

/// Whether a subject is right in every alphabet at one glance, as nearly all are; of others the rules are looked at one by
/// one.
fn is_plain(text: &[u8]) -> bool {
    let (mut tokens, mut is_start, mut is_wrong) = (1, true, false);
    for &byte in text {
        let is_dot = byte == b'.';
        is_wrong |= !PLAIN[usize::from(byte)] | (is_start & (is_dot | (byte == b'_')));
        tokens += usize::from(is_dot);
        is_start = is_dot;
    }
    !is_wrong && !is_start && text.len() <= SUBJECT_LENGTH_MAX && tokens <= TOKENS_MAX
}

/// What every alphabet allows in a token, and the dot.
const PLAIN: [bool; 256] = {
    let (mut plain, mut byte) = ([false; 256], 0_u8);
    while byte < u8::MAX {
        plain[byte as usize] = matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.');
        byte += 1;
    }
    plain
};

/// Every token of `text`, checked, with wildcards and placeholders read.
pub(crate) fn parse(text: &str, alphabet: Alphabet) -> Result<Vec<Token>, Fault> {
    check_shape(text, alphabet)?;
    let mut tokens = Vec::new();
    for (at, part) in token_ranges(text) {
        let token = token(text, at.clone(), part, alphabet)?;
        if token.is_tail() && at.end != text.len() {
            return Err(fault(text, FaultKind::TailNotLast, at, None));
        }
        if let Some(name) = token.capture()
            && tokens.iter().any(|earlier: &Token| earlier.capture() == Some(name))
        {
            return Err(fault(text, FaultKind::CapturedTwice, at, None));
        }
        tokens.push(token);
    }
    Ok(tokens)
}

fn token(text: &str, at: Range<usize>, part: &str, alphabet: Alphabet) -> Result<Token, Fault> {
    match part {
        "*" => return Ok(Token::Any),
        ">" => return Ok(Token::Tail),
        _ => {}
    }
    if part.contains(['{', '}']) {
        return placeholder(part).ok_or_else(|| fault(text, FaultKind::Placeholder, at, None));
    }
    if part.contains(['*', '>']) {
        return Err(fault(text, FaultKind::WildcardInsideToken, at, None));
    }
    check_characters(text, at, part, alphabet)?;
    Ok(Token::Literal(part.to_owned()))
}

fn placeholder(part: &str) -> Option<Token> {
    let bound = part.strip_prefix('$');
    let inner = bound.unwrap_or(part).strip_prefix('{')?.strip_suffix('}')?;
    let (name, tail) = match inner.strip_suffix("..") {
        Some(name) => (name, true),
        None => (inner, false),
    };
    if !is_identifier(name) {
        return None;
    }
    match (bound.is_some(), tail) {
        (true, true) => None,
        (true, false) => Some(Token::Bound(name.to_owned())),
        (false, true) => Some(Token::TailCapture(name.to_owned())),
        (false, false) => Some(Token::Capture(name.to_owned())),
    }
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Rules that hold for the text as a whole: not empty, dots, white space, length, reserved names.
fn check_shape(text: &str, alphabet: Alphabet) -> Result<(), Fault> {
    if text.trim().is_empty() {
        return Err(fault(text, FaultKind::Empty, 0..text.len(), None));
    }
    if let Some((at, c)) = text.char_indices().find(|(_, c)| c.is_whitespace() || c.is_control()) {
        let joined: String = text.split(|c: char| c.is_whitespace() || c.is_control()).collect::<Vec<_>>().join("");
        return Err(fault(text, FaultKind::Whitespace, at..at + c.len_utf8(), suggest(&joined)));
    }
    if text.starts_with('.') {
        return Err(fault(text, FaultKind::LeadingDot, 0..1, suggest(text)));
    }
    if let Some(at) = text.find("..") {
        // `{name..}` holds two dots of its own.
        if !is_inside_placeholder(text, at) {
            return Err(fault(text, FaultKind::EmptyToken, at..at + 2, suggest(text)));
        }
    }
    if text.ends_with('.') {
        return Err(fault(text, FaultKind::TrailingDot, text.len() - 1..text.len(), suggest(text)));
    }
    if text.len() > SUBJECT_LENGTH_MAX || token_ranges(text).count() > TOKENS_MAX {
        return Err(fault(text, FaultKind::TooLong, 0..text.len(), None));
    }
    let first = text.split('.').next().unwrap_or(text);
    let is_inbox = first.get(..INBOX.len()).is_some_and(|start| start.eq_ignore_ascii_case(INBOX));
    let reserved = (first.starts_with('$') && !first.starts_with("${")) || is_inbox;
    if reserved && alphabet != Alphabet::System {
        return Err(fault(text, FaultKind::Reserved, 0..first.len(), None));
    }
    Ok(())
}

fn is_inside_placeholder(text: &str, at: usize) -> bool {
    text[..at].rfind('{').is_some_and(|open| !text[open..at].contains('}')) && text[at..].starts_with("..}")
}

fn check_characters(text: &str, at: Range<usize>, token: &str, alphabet: Alphabet) -> Result<(), Fault> {
    let allowed = |c: char| match alphabet {
        Alphabet::Topic => c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-',
        Alphabet::Subject | Alphabet::System => c.is_ascii_graphic() && !matches!(c, '*' | '>' | '.' | '{' | '}'),
    };
    let Some((offset, c)) = token.char_indices().find(|(_, c)| !allowed(*c)) else {
        return Ok(());
    };
    let start = at.start + offset;
    let marked = start..start + c.len_utf8();
    if c.is_ascii_uppercase() {
        return Err(fault(text, FaultKind::UpperCase, marked, suggest(&text.to_ascii_lowercase())));
    }
    Err(fault(text, FaultKind::Character, marked, None))
}

/// The tokens of `text` with their byte ranges; the dots of `{name..}` do not separate.
fn token_ranges(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut start = 0;
    let mut depth = 0_usize;
    let mut done = false;
    let mut bytes = text.bytes().enumerate();
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        for (at, byte) in bytes.by_ref() {
            match byte {
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                b'.' if depth == 0 => {
                    let range = start..at;
                    start = at + 1;
                    return Some((range.clone(), &text[range]));
                }
                _ => {}
            }
        }
        done = true;
        Some((start..text.len(), &text[start..]))
    })
}

/// `text` without its empty tokens, where that is a subject of the grammar.
fn suggest(text: &str) -> Option<String> {
    let joined = text.split('.').filter(|token| !token.is_empty()).collect::<Vec<_>>().join(".");
    crate::Pattern::topic(&joined).is_ok().then_some(joined)
}

fn fault(text: &str, kind: FaultKind, at: Range<usize>, suggestion: Option<String>) -> Fault {
    let suggestion = suggestion.filter(|suggestion| suggestion != text);
    Fault { kind, subject: text.to_owned(), at, suggestion }
}
