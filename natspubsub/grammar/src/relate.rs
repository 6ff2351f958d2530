//! How two patterns relate: a subject that both match, and containment.

use crate::pattern::{Pattern, Token};

/// The name that examples use where any token would do.
const ANY_NAME: &str = "x";

impl Pattern {
    /// A subject that both patterns match, or `None` when there is none.
    ///
    /// ```
    /// use natspubsub_grammar::Pattern;
    /// let left = Pattern::topic("order.*").unwrap();
    /// let right = Pattern::topic("*.created").unwrap();
    /// assert_eq!(left.overlaps(&right).as_deref(), Some("order.created"));
    /// ```
    pub fn overlaps(&self, other: &Self) -> Option<String> {
        let (left, right) = (self.tokens(), other.tokens());
        let mut example: Vec<&str> = Vec::new();
        for index in 0..left.len().max(right.len()) {
            let (a, b) = (left.get(index)?, right.get(index)?);
            if a.is_tail() {
                example.extend(right[index..].iter().map(name));
                return Some(example.join("."));
            }
            if b.is_tail() {
                example.extend(left[index..].iter().map(name));
                return Some(example.join("."));
            }
            example.push(match (a, b) {
                (Token::Literal(a), Token::Literal(b)) if a != b => return None,
                (Token::Literal(_), _) => name(a),
                _ => name(b),
            });
        }
        Some(example.join("."))
    }

    /// Whether every subject that this pattern matches is also matched by `other`.
    ///
    /// ```
    /// use natspubsub_grammar::Pattern;
    /// let narrow = Pattern::topic("order.*").unwrap();
    /// let wide = Pattern::topic("order.>").unwrap();
    /// assert!(narrow.is_subset(&wide));
    /// assert!(!wide.is_subset(&narrow));
    /// ```
    pub fn is_subset(&self, other: &Self) -> bool {
        let (inner, outer) = (self.tokens(), other.tokens());
        for (index, wide) in outer.iter().enumerate() {
            let Some(narrow) = inner.get(index) else { return false };
            if wide.is_tail() {
                return true;
            }
            if narrow.is_tail() {
                return false;
            }
            if let Token::Literal(wide) = wide
                && !matches!(narrow, Token::Literal(narrow) if narrow == wide)
            {
                return false;
            }
        }
        inner.len() == outer.len()
    }
}

fn name(token: &Token) -> &str {
    match token {
        Token::Literal(name) => name,
        _ => ANY_NAME,
    }
}
