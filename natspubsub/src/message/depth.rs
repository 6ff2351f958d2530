//! How deep JSON nests: a message that nests without end must not cost a stack.

/// Arrays and objects inside each other, the envelope included.
pub(crate) const DEPTH_MAX: usize = 64;

/// Whether arrays and objects nest deeper than [`DEPTH_MAX`]. Of text that is not JSON the answer says nothing.
pub(super) fn is_too_deep(json: &[u8]) -> bool {
    // Nearly every message ends here: what holds few brackets cannot nest deep.
    opening(json) > DEPTH_MAX && nests_too_deep(json)
}

/// How many bytes open an array or an object. Sums of one byte, which a processor adds sixteen at a time.
fn opening(json: &[u8]) -> usize {
    // `[` and `{` differ in one bit.
    let opens = |byte: &u8| u8::from(byte | 0x20 == b'{');
    json.chunks(usize::from(u8::MAX)).map(|chunk| usize::from(chunk.iter().map(opens).sum::<u8>())).sum()
}

fn nests_too_deep(json: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'[' | b'{' if depth == DEPTH_MAX => return true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Goes behind the quote that ends a string.
fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        format!("{}{}", r#"{"a":["#.repeat(depth / 2), "]}".repeat(depth / 2))
    }

    #[test]
    fn sixty_four_levels_are_allowed_and_one_more_is_not() {
        assert!(!is_too_deep(nested(64).as_bytes()));
        assert!(is_too_deep(format!("[{}]", nested(64)).as_bytes()));
        assert!(is_too_deep("[".repeat(1_000_000).as_bytes()));
    }

    #[test]
    fn many_brackets_beside_each_other_or_in_strings_are_not_deep() {
        assert!(!is_too_deep(format!("[{}1]", "[],{},".repeat(10_000)).as_bytes()));
        assert!(!is_too_deep(format!(r#"["{}"]"#, "[".repeat(1_000)).as_bytes()));
        assert!(!is_too_deep(format!(r#"["\"{}\\"]"#, "{".repeat(1_000)).as_bytes()));
        assert!(
            is_too_deep(format!(r#"["\\",{}]"#, nested(64)).as_bytes()),
            "the string ends behind an escaped backslash"
        );
    }

    #[test]
    fn broken_text_is_no_panic() {
        let open = "[".repeat(65);
        for text in [format!("]]]{open}"), format!("\"{open}"), format!("\"{open}\\")] {
            is_too_deep(text.as_bytes());
        }
    }
}
