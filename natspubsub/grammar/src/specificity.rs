//! How narrow a pattern is, to say which of two is the more special.

use std::fmt;

use crate::pattern::{Pattern, Token};

/// How narrow a pattern is: more literal tokens are narrower, then an end without `>`, then fewer wildcards.
///
/// ```
/// use natspubsub_grammar::Pattern;
/// let of = |text| Pattern::subject(text).unwrap().specificity();
/// assert!(of("match.found") > of("match.*"));
/// assert!(of("match.*") > of("match.>"));
/// assert!(of("match.>") > of("*.>"));
/// assert_eq!(of("match.*.eu").to_string(), "2 literal tokens, 1 wildcard");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Specificity {
    literals: usize,
    is_closed: bool,
    /// Fewer are narrower, so that they are counted down.
    wildcards: std::cmp::Reverse<usize>,
}

impl Pattern {
    /// How narrow the pattern is.
    ///
    /// ```
    /// let pattern = natspubsub_grammar::Pattern::subject("match.>").unwrap();
    /// assert_eq!(pattern.specificity().to_string(), "1 literal token, open end");
    /// ```
    pub fn specificity(&self) -> Specificity {
        let is_literal = |token: &&Token| matches!(token, Token::Literal(_));
        let literals = self.tokens().iter().filter(is_literal).count();
        let tails = self.tokens().iter().filter(|token| token.is_tail()).count();
        let wildcards = std::cmp::Reverse(self.tokens().len() - literals - tails);
        Specificity { literals, is_closed: tails == 0, wildcards }
    }
}

impl fmt::Display for Specificity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        write!(f, "{} literal token{}", self.literals, plural(self.literals))?;
        if self.wildcards.0 > 0 {
            write!(f, ", {} wildcard{}", self.wildcards.0, plural(self.wildcards.0))?;
        }
        f.write_str(if self.is_closed { "" } else { ", open end" })
    }
}
