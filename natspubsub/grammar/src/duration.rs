//! Durations as people write them: `500ms`, `30s`, `1h30m`, `7d`.

use std::fmt;
use std::time::Duration;

const UNITS: [(&str, u64); 6] = [
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// A text that is not a duration.
///
/// ```
/// let fault = natspubsub_grammar::parse_duration("30").unwrap_err();
/// assert_eq!(fault.to_string(), "\"30\" is not a duration; write a number and a unit (us, ms, s, m, h, d), such as \"30s\"");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurationFault {
    text: String,
}

impl fmt::Display for DurationFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        write!(f, "{text:?} is not a duration; write a number and a unit (us, ms, s, m, h, d), such as \"30s\"")
    }
}

impl std::error::Error for DurationFault {}

/// Reads a duration: whole numbers with the units `us`, `ms`, `s`, `m`, `h` and `d`, one after the other.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(natspubsub_grammar::parse_duration("1m30s").unwrap(), Duration::from_secs(90));
/// ```
///
/// # Errors
/// Empty text, a missing or unknown unit, a sign, a fraction, or a value beyond 2^64 nanoseconds (584 years).
pub fn parse_duration(text: &str) -> Result<Duration, DurationFault> {
    let fault = || DurationFault { text: text.to_owned() };
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(fault());
    }
    let mut nanos: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(fault)?;
        let number: u64 = rest[..digits].parse().map_err(|_| fault())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = &rest[..letters];
        rest = &rest[letters..];
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(fault)?;
        nanos = number.checked_mul(*size).and_then(|part| nanos.checked_add(part)).ok_or_else(fault)?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// Writes a duration the way [`parse_duration`] reads it, in its largest exact unit.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(natspubsub_grammar::format_duration(Duration::from_secs(120)), "2m");
/// assert_eq!(natspubsub_grammar::format_duration(Duration::from_millis(1500)), "1500ms");
/// ```
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".into();
    }
    for (name, size) in UNITS.iter().rev() {
        if nanos.is_multiple_of(u128::from(*size)) {
            return format!("{}{name}", nanos / u128::from(*size));
        }
    }
    format!("{}us", nanos / 1_000)
}
