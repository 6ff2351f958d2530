//! Rates, sizes and instants as people write them: `100/s`, `64KiB`, `2026-01-02T03:04:05Z`.

use std::fmt;
use std::time::Duration;

/// A text that is not what an option expects, with the form that it expects.
///
/// ```
/// let fault = natspubsub_grammar::parse_rate("fast").unwrap_err();
/// assert_eq!(fault.to_string(), "\"fast\" is not a rate; write a number, `/` and a unit (s, m, h), such as \"100/s\"");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeasureFault {
    text: String,
    expected: &'static str,
}

impl fmt::Display for MeasureFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not {}", self.text, self.expected)
    }
}

impl std::error::Error for MeasureFault {}

/// So many in each span of time.
///
/// ```
/// use std::time::Duration;
/// let rate = natspubsub_grammar::parse_rate("100/s").unwrap();
/// assert_eq!((rate.count, rate.per), (100, Duration::from_secs(1)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many; at least 1.
    pub count: u32,
    /// In which time.
    pub per: Duration,
}

/// Reads a rate: a whole number from 1, a slash and `s`, `m` or `h`.
///
/// ```
/// assert!(natspubsub_grammar::parse_rate("5/m").is_ok());
/// assert!(natspubsub_grammar::parse_rate("0/s").is_err());
/// ```
///
/// # Errors
/// Any other text.
pub fn parse_rate(text: &str) -> Result<Rate, MeasureFault> {
    let expected = "a rate; write a number, `/` and a unit (s, m, h), such as \"100/s\"";
    let fault = || MeasureFault { text: text.to_owned(), expected };
    let (count, unit) = text.trim().split_once('/').ok_or_else(fault)?;
    let seconds = match unit.trim() {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(fault()),
    };
    let count = count.trim().parse().ok().filter(|count| *count > 0).ok_or_else(fault)?;
    Ok(Rate { count, per: Duration::from_secs(seconds) })
}

const SIZES: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// Reads a size in bytes: a whole number from 1 and `B`, `KB`, `MB`, `GB`, `KiB`, `MiB` or `GiB`.
///
/// ```
/// assert_eq!(natspubsub_grammar::parse_size("64KiB").unwrap(), 65_536);
/// ```
///
/// # Errors
/// Any other text, and sizes beyond 2^63 bytes, which the server cannot hold.
pub fn parse_size(text: &str) -> Result<u64, MeasureFault> {
    let expected = "a size; write a number and a unit (B, KB, MB, GB, KiB, MiB, GiB), such as \"64KiB\"";
    let fault = || MeasureFault { text: text.to_owned(), expected };
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(fault)?;
    let number: u64 = text[..digits].parse().map_err(|_| fault())?;
    let (_, unit) = SIZES.iter().find(|(name, _)| *name == text[digits..].trim()).ok_or_else(fault)?;
    let bytes = number.checked_mul(*unit).ok_or_else(fault)?;
    if bytes == 0 || i64::try_from(bytes).is_err() { Err(fault()) } else { Ok(bytes) }
}

/// Checks an instant of RFC 3339 with a zone, such as `2026-01-02T03:04:05Z`.
///
/// ```
/// assert!(natspubsub_grammar::check_instant("2026-01-02T03:04:05.678+01:00").is_ok());
/// assert!(natspubsub_grammar::check_instant("yesterday").is_err());
/// ```
///
/// # Errors
/// Any other text, and days and times that do not exist.
pub fn check_instant(text: &str) -> Result<(), MeasureFault> {
    let expected = "an instant; write it as in \"2026-01-02T03:04:05Z\"";
    if is_instant(text) { Ok(()) } else { Err(MeasureFault { text: text.to_owned(), expected }) }
}

fn is_instant(text: &str) -> bool {
    let Some((date, time)) = text.split_once('T') else { return false };
    let zone = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone);
    let (clock, fraction) = clock.split_once('.').map_or((clock, "0"), |(clock, fraction)| (clock, fraction));
    let fraction_fits = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    is_date(date) && numbers(clock, ':', &[(2, 23), (2, 59), (2, 59)]).is_some() && fraction_fits && is_zone(zone)
}

fn is_date(text: &str) -> bool {
    let Some(parts) = numbers(text, '-', &[(4, 9_999), (2, 12), (2, 31)]) else { return false };
    let &[year, month, day] = parts.as_slice() else { return false };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    month > 0 && (1..=days).contains(&day)
}

fn is_zone(text: &str) -> bool {
    text == "Z" || text.strip_prefix(['+', '-']).is_some_and(|zone| numbers(zone, ':', &[(2, 23), (2, 59)]).is_some())
}

/// Numbers between separators, each of so many digits and no larger than its limit.
fn numbers(text: &str, separator: char, parts: &[(usize, u32)]) -> Option<Vec<u32>> {
    let found: Vec<&str> = text.split(separator).collect();
    if found.len() != parts.len() {
        return None;
    }
    let number = |(found, (digits, most)): (&&str, &(usize, u32))| {
        let plain = found.len() == *digits && found.bytes().all(|byte| byte.is_ascii_digit());
        found.parse().ok().filter(|number| plain && number <= most)
    };
    found.iter().zip(parts).map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_know_both_families_of_units_and_their_limits() {
        assert_eq!(parse_size("1KB").unwrap(), 1_000);
        assert_eq!(parse_size("2 GiB").unwrap(), 2 << 30);
        for text in ["", "1", "KiB", "0B", "-1KB", "1.5MB", "1kb", "99999999999GiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates_are_at_least_one() {
        assert_eq!(parse_rate(" 5 / m ").unwrap(), Rate { count: 5, per: Duration::from_secs(60) });
        for text in ["", "100", "0/s", "1/d", "-1/s", "1/"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn instants_exist_in_the_calendar() {
        for text in ["2024-02-29T00:00:00Z", "2026-12-31T23:59:59.999999999-11:30"] {
            assert!(check_instant(text).is_ok(), "{text}");
        }
        let wrong = [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-02",
            "2026-01-02T03:04:05",
            "2026-01-02T24:00:00Z",
            "2026-01-02T03:04:05.Z",
            "2026-1-2T03:04:05Z",
            "+026-01-02T03:04:05Z",
        ];
        for text in wrong {
            assert!(check_instant(text).is_err(), "{text}");
        }
    }
}
