//! Matching at compile time: the same rule as [`Pattern::matches`](crate::Pattern::matches), as a `const fn`.

/// Whether a checked pattern delivers a checked subject; usable in constants.
///
/// ```
/// const _: () = assert!(natspubsub_grammar::delivers("order.{id}", "order.created"));
/// assert!(!natspubsub_grammar::delivers("order.>", "order"));
/// ```
pub const fn delivers(pattern: &str, subject: &str) -> bool {
    let (pattern, subject) = (pattern.as_bytes(), subject.as_bytes());
    let (mut at, mut from) = (0, 0);
    loop {
        let (end, to) = (token_end(pattern, at), token_end(subject, from));
        if to == from {
            return false;
        }
        if is_tail(pattern, at, end) {
            return true;
        }
        if !is_any(pattern, at) && !equal(pattern, at, end, subject, from, to) {
            return false;
        }
        match (end == pattern.len(), to == subject.len()) {
            (true, true) => return true,
            (false, false) => {}
            _ => return false,
        }
        at = end + 1;
        from = to + 1;
    }
}

/// The dots of `{name..}` do not separate.
const fn token_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    let mut inside = false;
    while at < text.len() {
        match text[at] {
            b'{' => inside = true,
            b'}' => inside = false,
            b'.' if !inside => return at,
            _ => {}
        }
        at += 1;
    }
    at
}

const fn is_tail(pattern: &[u8], start: usize, end: usize) -> bool {
    pattern[start] == b'>' || (pattern[start] == b'{' && end >= start + 4 && pattern[end - 2] == b'.')
}

const fn is_any(pattern: &[u8], start: usize) -> bool {
    matches!(pattern[start], b'*' | b'{' | b'$')
}

const fn equal(a: &[u8], mut from_a: usize, to_a: usize, b: &[u8], mut from_b: usize, to_b: usize) -> bool {
    if to_a - from_a != to_b - from_b {
        return false;
    }
    while from_a < to_a {
        if a[from_a] != b[from_b] {
            return false;
        }
        from_a += 1;
        from_b += 1;
    }
    true
}
