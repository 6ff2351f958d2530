//! What the headers of a message tell the stream to do. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::super::moment::Moment;
use super::super::refuse::Refusal;
use super::log::Ttl;
use super::rules::Rules;
use super::schedule::Schedule;
use super::window::exact;
use crate::message::headers::{EXPECTED_LAST_SEQUENCE, SCHEDULE, SCHEDULE_TARGET, SCHEDULE_TTL, TTL};
use crate::transport::port::Outbound;

const SHORTEST_TTL: Duration = Duration::from_secs(1);

const PATTERN: Refusal = Refusal::of(10189, "message schedules pattern is invalid");
const TARGET: Refusal = Refusal::of(10190, "message schedules target is invalid");

/// What the headers of a message tell the stream to do.
#[derive(Debug, Default)]
pub(super) struct Commands {
    pub(super) ttl: Option<Ttl>,
    pub(super) schedule: Option<Schedule>,
}

impl Commands {
    pub(super) fn read(message: &Outbound, rules: &Rules, now: Moment) -> Result<Self, Refusal> {
        if message.headers.is_empty() {
            return Ok(Self::default());
        }
        let ttl = read_ttl(exact(message, TTL).unwrap_or_default())
            .map_err(|()| Refusal::of(10165, "invalid per-message TTL"))?;
        check_ttl(ttl, rules)?;
        Ok(Self { ttl, schedule: schedule(message, rules, now)? })
    }
}

/// Refuses a message that is to be stored only behind another one.
pub(super) fn check_expected(message: &Outbound, last: u64) -> Result<(), Refusal> {
    match exact(message, EXPECTED_LAST_SEQUENCE) {
        Some(expected) if expected.parse() != Ok(last) => {
            Err(Refusal { code: 10071, words: format!("wrong last sequence: {last}").into() })
        }
        _ => Ok(()),
    }
}

fn check_ttl(ttl: Option<Ttl>, rules: &Rules) -> Result<(), Refusal> {
    match ttl {
        Some(_) if !rules.ttl => Err(Refusal::of(10166, "per-message TTL is disabled")),
        _ => Ok(()),
    }
}

fn schedule(message: &Outbound, rules: &Rules, now: Moment) -> Result<Option<Schedule>, Refusal> {
    let Some(pattern) = exact(message, SCHEDULE).filter(|pattern| !pattern.is_empty()) else { return Ok(None) };
    if !rules.schedules {
        return Err(Refusal::of(10188, "message schedules is disabled"));
    }
    // What comes again and again is not modelled.
    let at: Timestamp = pattern.strip_prefix("@at ").and_then(|at| at.parse().ok()).ok_or(PATTERN)?;
    let written = exact(message, SCHEDULE_TTL).unwrap_or_default();
    let ttl = read_ttl(written).map_err(|()| Refusal::of(10191, "message schedules invalid per-message TTL"))?;
    check_ttl(ttl, rules)?;
    let target = exact(message, SCHEDULE_TARGET).unwrap_or_default();
    let is_subject = !target.split('.').any(|token| matches!(token, "" | "*" | ">"));
    if !is_subject || target == message.subject || !rules.takes(target) {
        return Err(TARGET);
    }
    let ttl = ttl.map(|ttl| (ttl, written.to_owned()));
    Ok(Some(Schedule { due: now.when(at), target: target.to_owned(), ttl }))
}

/// Seconds, a duration as Go writes it, or `never`; at least one second.
fn read_ttl(text: &str) -> Result<Option<Ttl>, ()> {
    let lives = match text {
        "" => return Ok(None),
        "never" => return Ok(Some(Ttl::Never)),
        _ => text.parse().map(Duration::from_secs).ok().or_else(|| duration(text)).ok_or(())?,
    };
    if lives < SHORTEST_TTL { Err(()) } else { Ok(Some(Ttl::For(lives))) }
}

/// `1h30m`, `1.5s`, `300ms`.
fn duration(text: &str) -> Option<Duration> {
    let (mut rest, mut total) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
        let value: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total += Duration::try_from_secs_f64(value * unit).ok()?;
        rest = &rest[letters..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_read_as_the_server_reads_them() {
        let lives = |seconds: f64| Ok(Some(Ttl::For(Duration::from_secs_f64(seconds))));
        for (text, read) in [
            ("5s", lives(5.0)),
            ("5", lives(5.0)),
            ("1h", lives(3600.0)),
            ("1.5s", lives(1.5)),
            ("1m30s", lives(90.0)),
            ("never", Ok(Some(Ttl::Never))),
            ("", Ok(None)),
            ("0", Err(())),
            ("0.5s", Err(())),
            ("999ms", Err(())),
            ("-1s", Err(())),
            ("abc", Err(())),
        ] {
            assert_eq!(read_ttl(text), read, "{text:?}");
        }
    }
}
