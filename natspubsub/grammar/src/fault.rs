//! What can be wrong with a subject, and how a person is told.

use std::fmt;
use std::ops::Range;

/// The rule of the subject grammar that a text broke.
///
/// ```
/// use natspubsub_grammar::{FaultKind, Pattern};
/// assert_eq!(Pattern::topic("a..b").unwrap_err().kind, FaultKind::EmptyToken);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// The subject has no characters.
    Empty,
    /// The subject starts with a dot.
    LeadingDot,
    /// The subject ends with a dot.
    TrailingDot,
    /// Two dots stand next to each other.
    EmptyToken,
    /// `>` stands before the last token.
    TailNotLast,
    /// `*` or `>` is part of a longer token.
    WildcardInsideToken,
    /// A space, a tab or another white-space or control character.
    Whitespace,
    /// An upper-case letter in a topic.
    UpperCase,
    /// A character that topics do not allow.
    Character,
    /// The subject starts with `$` or `_INBOX`.
    Reserved,
    /// A wildcard where a message is to be published.
    Wildcard,
    /// A placeholder that is not `{name}`, `{name..}` or `${name}`.
    Placeholder,
    /// One name is captured twice.
    CapturedTwice,
    /// More than [`SUBJECT_LENGTH_MAX`](crate::SUBJECT_LENGTH_MAX) bytes or [`TOKENS_MAX`](crate::TOKENS_MAX) tokens.
    TooLong,
}

impl FaultKind {
    /// The rule as a clause that follows "subject pattern".
    ///
    /// ```
    /// assert_eq!(natspubsub_grammar::FaultKind::LeadingDot.clause(), "starts with a dot");
    /// ```
    pub const fn clause(self) -> &'static str {
        match self {
            Self::Empty => "is empty",
            Self::LeadingDot => "starts with a dot",
            Self::TrailingDot => "ends with a dot",
            Self::EmptyToken => "has an empty token between two dots",
            Self::TailNotLast => "has `>` before its last token",
            Self::WildcardInsideToken => "has a wildcard inside a token",
            Self::Whitespace => "contains white space",
            Self::UpperCase => "contains an upper-case letter",
            Self::Character => "contains a character that topics do not allow",
            Self::Reserved => "starts with a name that NATS reserves",
            Self::Wildcard => "contains a wildcard, and a message goes to one subject only",
            Self::Placeholder => "has a placeholder that cannot be read",
            Self::CapturedTwice => "captures one name twice",
            Self::TooLong => "is too long",
        }
    }
}

/// A subject that breaks one rule of the grammar: which rule, where, and what to write instead.
///
/// ```
/// let fault = natspubsub_grammar::Pattern::topic("order..created").unwrap_err();
/// assert_eq!(fault.at, 5..7);
/// assert_eq!(fault.suggestion.as_deref(), Some("order.created"));
/// assert_eq!(
///     fault.to_string(),
///     "\"order..created\" has an empty token between two dots; did you mean \"order.created\"?",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The rule that was broken.
    pub kind: FaultKind,
    /// The text as it was given.
    pub subject: String,
    /// The offending bytes in `subject`.
    pub at: Range<usize>,
    /// A subject that follows the rule and is probably what was meant.
    pub suggestion: Option<String>,
}

impl Fault {
    /// The text on one line and carets under its offending part on the next, both after `indent` spaces.
    ///
    /// ```
    /// let fault = natspubsub_grammar::Pattern::topic("a..b").unwrap_err();
    /// assert_eq!(fault.caret(2), "  a..b\n   ^^");
    /// ```
    pub fn caret(&self, indent: usize) -> String {
        let before = self.subject.get(..self.at.start).unwrap_or("").chars().count();
        let marked = self.subject.get(self.at.clone()).unwrap_or("").chars().count().max(1);
        let shown: String = self.subject.chars().map(|c| if c.is_control() { '\u{b7}' } else { c }).collect();
        let pad = " ".repeat(indent);
        format!("{pad}{shown}\n{pad}{}{}", " ".repeat(before), "^".repeat(marked))
    }

    /// The remedy in one clause.
    ///
    /// ```
    /// let fault = natspubsub_grammar::Pattern::topic("a.>.b").unwrap_err();
    /// assert_eq!(fault.help(), "`>` stands for the rest of a subject, so nothing can follow it; `*` stands for one token");
    /// ```
    pub fn help(&self) -> String {
        if let Some(suggestion) = &self.suggestion {
            return format!("did you mean {suggestion:?}?");
        }
        match self.kind {
            FaultKind::Empty => "write a topic such as \"order.created\"".into(),
            FaultKind::TailNotLast => {
                "`>` stands for the rest of a subject, so nothing can follow it; `*` stands for one token".into()
            }
            FaultKind::WildcardInsideToken => {
                "a wildcard is a whole token: write \"order.*\", not \"order.crea*\"".into()
            }
            FaultKind::Reserved => "`$` and `_INBOX` belong to the server; start with a name of your own".into(),
            FaultKind::Wildcard => "name one subject, such as \"order.created\"".into(),
            FaultKind::Placeholder => {
                "write {name} for one token, {name..} for the rest, or ${name} for a value from the configuration"
                    .into()
            }
            FaultKind::CapturedTwice => "give each placeholder a name of its own".into(),
            FaultKind::TooLong => {
                format!("the limits are {} bytes and {} tokens", crate::SUBJECT_LENGTH_MAX, crate::TOKENS_MAX)
            }
            _ => "a token consists of a-z, 0-9, `_` and `-`".into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}; {}", self.subject, self.kind.clause(), self.help())
    }
}

impl std::error::Error for Fault {}
