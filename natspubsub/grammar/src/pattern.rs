//! A checked subject pattern and what it matches.

use std::fmt;

use crate::fault::Fault;
use crate::parse::{Alphabet, parse};

/// One token of a [`Pattern`].
///
/// ```
/// use natspubsub_grammar::{Pattern, Token};
/// let pattern = Pattern::topic("order.{id}").unwrap();
/// assert_eq!(pattern.tokens()[1], Token::Capture("id".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Token {
    /// A name that must be equal.
    Literal(String),
    /// `*`: exactly one token of any name.
    Any,
    /// `>`: one token or more, to the end.
    Tail,
    /// `{name}`: like `*`, and an argument receives the token.
    Capture(String),
    /// `{name..}`: like `>`, and an argument receives the rest of the subject.
    TailCapture(String),
    /// `${name}`: one token whose value comes from the configuration at start.
    Bound(String),
}

impl Token {
    pub(crate) fn is_tail(&self) -> bool {
        matches!(self, Self::Tail | Self::TailCapture(_))
    }

    /// The name that an argument receives this token under.
    ///
    /// ```
    /// assert_eq!(natspubsub_grammar::Token::Any.capture(), None);
    /// ```
    pub fn capture(&self) -> Option<&str> {
        match self {
            Self::Capture(name) | Self::TailCapture(name) => Some(name),
            _ => None,
        }
    }

    fn accepts(&self, name: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == name,
            _ => true,
        }
    }
}

/// A subject pattern that obeys the grammar: names, `*`, `>` and placeholders, separated by dots.
///
/// The rules are those of NATS (subject-based messaging in the NATS documentation): `*` is one whole token, `>`
/// is the last token and stands for at least one.
///
/// ```
/// use natspubsub_grammar::Pattern;
/// let all = Pattern::topic("order.>").unwrap();
/// assert!(all.matches("order.created.eu"));
/// assert!(!all.matches("order"), "`>` needs at least one token");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    tokens: Vec<Token>,
}

impl Pattern {
    /// Reads a topic pattern: literal tokens of `[a-z0-9_-]`.
    ///
    /// ```
    /// assert!(natspubsub_grammar::Pattern::topic("Order").is_err());
    /// ```
    ///
    /// # Errors
    /// The first rule that `text` breaks, with its place and a suggestion.
    pub fn topic(text: &str) -> Result<Self, Fault> {
        parse(text, Alphabet::Topic).map(|tokens| Self { tokens })
    }

    /// Reads a pattern of raw subjects: literal tokens of printable ASCII.
    ///
    /// ```
    /// assert!(natspubsub_grammar::Pattern::subject("Chat.Pod.*").is_ok());
    /// ```
    ///
    /// # Errors
    /// The first rule that `text` breaks, with its place and a suggestion.
    pub fn subject(text: &str) -> Result<Self, Fault> {
        parse(text, Alphabet::Subject).map(|tokens| Self { tokens })
    }

    /// Reads a pattern of subjects that may belong to the server, such as `$KV.bucket.>`.
    ///
    /// ```
    /// assert!(natspubsub_grammar::Pattern::system("$KV.orders.>").is_ok());
    /// ```
    ///
    /// # Errors
    /// The first rule that `text` breaks, with its place and a suggestion.
    pub fn system(text: &str) -> Result<Self, Fault> {
        parse(text, Alphabet::System).map(|tokens| Self { tokens })
    }

    /// The tokens from left to right.
    ///
    /// ```
    /// assert_eq!(natspubsub_grammar::Pattern::topic("a.b").unwrap().tokens().len(), 2);
    /// ```
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Whether the pattern is one concrete subject: no wildcard and no placeholder.
    ///
    /// ```
    /// assert!(!natspubsub_grammar::Pattern::topic("order.*").unwrap().is_literal());
    /// ```
    pub fn is_literal(&self) -> bool {
        self.tokens.iter().all(|token| matches!(token, Token::Literal(_)))
    }

    /// The pattern as the server writes it: placeholders become `*` and `>`.
    ///
    /// ```
    /// let pattern = natspubsub_grammar::Pattern::topic("order.{id}.{rest..}").unwrap();
    /// assert_eq!(pattern.filter(), "order.*.>");
    /// ```
    pub fn filter(&self) -> String {
        let tokens = self.tokens.iter().map(|token| match token {
            Token::Literal(name) => name.as_str(),
            Token::Any | Token::Capture(_) | Token::Bound(_) => "*",
            Token::Tail | Token::TailCapture(_) => ">",
        });
        tokens.collect::<Vec<_>>().join(".")
    }

    /// The names whose values come from the configuration: `${name}`.
    ///
    /// ```
    /// let pattern = natspubsub_grammar::Pattern::topic("chat.${pod_id}.{session}").unwrap();
    /// assert_eq!(pattern.bound().collect::<Vec<_>>(), ["pod_id"]);
    /// ```
    pub fn bound(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().filter_map(|token| match token {
            Token::Bound(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The pattern with a value for each `${name}` that `value` knows.
    ///
    /// ```
    /// let pattern = natspubsub_grammar::Pattern::topic("chat.${pod_id}.{session}").unwrap();
    /// let bound = pattern.bind(|name| (name == "pod_id").then_some("pod-1"));
    /// assert_eq!(bound.to_string(), "chat.pod-1.{session}");
    /// ```
    pub fn bind<'v>(&self, value: impl Fn(&str) -> Option<&'v str>) -> Self {
        let tokens = self.tokens.iter().map(|token| match token {
            Token::Bound(name) => value(name).map_or_else(|| token.clone(), |value| Token::Literal(value.to_owned())),
            _ => token.clone(),
        });
        Self { tokens: tokens.collect() }
    }

    /// Whether a concrete subject is delivered by this pattern. Allocates nothing.
    ///
    /// ```
    /// assert!(natspubsub_grammar::Pattern::topic("a.*").unwrap().matches("a.b"));
    /// ```
    pub fn matches(&self, subject: &str) -> bool {
        let mut names = subject.split('.');
        for token in &self.tokens {
            let Some(name) = names.next() else { return false };
            if name.is_empty() {
                return false;
            }
            if token.is_tail() {
                return names.all(|name| !name.is_empty());
            }
            if !token.accepts(name) {
                return false;
            }
        }
        names.next().is_none()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, token) in self.tokens.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            match token {
                Token::Literal(name) => f.write_str(name)?,
                Token::Any => f.write_str("*")?,
                Token::Tail => f.write_str(">")?,
                Token::Capture(name) => write!(f, "{{{name}}}")?,
                Token::TailCapture(name) => write!(f, "{{{name}..}}")?,
                Token::Bound(name) => write!(f, "${{{name}}}")?,
            }
        }
        Ok(())
    }
}
