//! Sizes in bytes: `4096`, `16KiB`, `8MiB`.

use std::fmt;

use natspubsub_grammar::parse_size;

/// The largest size that a setting can have.
const SIZE_MAX: usize = 1 << 30;

const UNITS: [(&str, usize); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// So many bytes; prints in its largest exact unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size(pub(super) usize);

impl Size {
    /// Reads a number of bytes from 1 to 1 GiB, with a unit or without.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let plain = text.trim();
        let bytes = plain.parse().ok().or_else(|| parse_size(plain).ok());
        let size = bytes.and_then(|bytes: u64| usize::try_from(bytes).ok());
        size.filter(|size| (1..=SIZE_MAX).contains(size)).map(Self).ok_or_else(|| {
            format!(
                "{text:?} is not a size from 1 to 1GiB; write a number of bytes, or one with KB, MB, KiB or MiB, such as \"16KiB\""
            )
        })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, unit)| self.0.is_multiple_of(*unit)) {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A size, or `None` for `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Threshold(pub(super) Option<usize>);

impl Threshold {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.trim().eq_ignore_ascii_case("off") {
            return Ok(Self(None));
        }
        Size::parse(text).map(|size| Self(Some(size.0))).map_err(|fault| format!("{fault}, or \"off\""))
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => Size(bytes).fmt(f),
            None => f.write_str("off"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_a_unit_and_without_and_print_in_the_largest_exact_one() {
        for (text, bytes, shown) in [
            ("4096", 4_096, "4KiB"),
            ("16KiB", 16_384, "16KiB"),
            ("8MiB", 8 << 20, "8MiB"),
            ("1KB", 1_000, "1000"),
            (" 2 MB ", 2_000_000, "2000000"),
            ("1GiB", 1 << 30, "1GiB"),
            ("1", 1, "1"),
        ] {
            let size = Size::parse(text).unwrap();
            assert_eq!((size.0, size.to_string().as_str()), (bytes, shown), "{text}");
            assert_eq!(Threshold::parse(text).unwrap().0, Some(bytes));
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "0", "0KiB", "-1", "1.5MiB", "16kib", "KiB", "2GiB", "99999999999999999999", "on"] {
            assert!(Size::parse(text).is_err(), "{text}");
            assert!(Threshold::parse(text).unwrap_err().contains("\"off\""), "{text}");
        }
        assert_eq!(Threshold::parse(" Off ").unwrap(), Threshold(None));
        assert_eq!(Threshold(None).to_string(), "off");
    }
}
