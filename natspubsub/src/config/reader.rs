//! From the text of a setting to its value, with every fault noted beside the place of the text.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use natspubsub_grammar::{Backoff, parse_duration};
use secrecy::SecretString;

use super::sources::Found;
use super::{Explained, Preset, preset, table};

/// How a value that is not set is explained.
const NOT_SET: &str = "not set";

/// How a secret value is explained.
const MASKED: &str = "***";

/// Reads settings one after the other; notes where each came from, and every fault.
pub(super) struct Reader<'a> {
    found: &'a Found,
    preset: Option<Preset>,
    pub(super) faults: Vec<String>,
    pub(super) origins: Vec<Explained>,
}

/// A value and the place that it came from.
pub(super) struct Given<T> {
    pub(super) value: T,
    pub(super) origin: String,
}

impl<'a> Reader<'a> {
    /// The preset is read first, because it decides what the other defaults are.
    pub(super) fn new(found: &'a Found) -> Self {
        let mut reader = Self { found, preset: None, faults: found.faults.clone(), origins: Vec::new() };
        reader.preset = reader.choice("preset", &preset::ALL, preset::name);
        reader
    }

    /// The text of a setting and where it came from.
    fn raw(&self, key: &'static str) -> Given<String> {
        let given = |value: &str, origin: &str| Given { value: value.to_owned(), origin: origin.to_owned() };
        if let Some((value, origin)) = self.found.get(key) {
            return given(value, origin);
        }
        let of_preset = self.preset.and_then(|chosen| Some((chosen, preset::default(chosen, key)?)));
        match of_preset {
            Some((chosen, value)) => given(value, &format!("preset {:?}", preset::name(Some(chosen)))),
            None => given(table::default(key), "default"),
        }
    }

    /// Where the value of a setting came from.
    pub(super) fn origin(&self, key: &'static str) -> String {
        self.raw(key).origin
    }

    /// Notes a fault of a setting, with the place that its value came from.
    pub(super) fn refuse(&mut self, key: &str, fault: impl Display, origin: &str) {
        self.faults.push(format!("{key}: {fault} ({origin})"));
    }

    fn explain(&mut self, key: &str, value: impl Display, origin: String) {
        self.origins.push(Explained { key: key.to_owned(), value: value.to_string(), origin });
    }

    fn parsed<T: Display>(
        &mut self,
        key: &'static str,
        given: Given<String>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        match parse(&given.value) {
            Ok(value) => {
                self.explain(key, &value, given.origin);
                Some(value)
            }
            Err(fault) => {
                self.refuse(key, fault, &given.origin);
                None
            }
        }
    }

    /// A value of any form.
    pub(super) fn read<T: Display>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.parsed(key, self.raw(key), parse)
    }

    /// A text whose default is computed; `origin` says how.
    pub(super) fn text_or(
        &mut self,
        key: &'static str,
        default: impl FnOnce() -> String,
        origin: &str,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> String {
        let given = match self.found.get(key) {
            Some(_) => self.raw(key),
            None => Given { value: default(), origin: format!("default: {origin}") },
        };
        self.parsed(key, given, |text| check(text).map(|()| text.to_owned())).unwrap_or_default()
    }

    /// A text, or `None` for an empty one. It is refused with what `check` says.
    pub(super) fn optional(
        &mut self,
        key: &'static str,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Option<Given<String>> {
        let given = self.raw(key);
        if given.value.is_empty() {
            self.explain(key, NOT_SET, given.origin);
            return None;
        }
        let origin = given.origin.clone();
        let value = self.parsed(key, given, |text| check(text).map(|()| text.to_owned()))?;
        Some(Given { value, origin })
    }

    /// A value that is never printed, or `None` for an empty one.
    pub(super) fn secret(&mut self, key: &'static str) -> Option<Given<SecretString>> {
        let Given { value, origin } = self.raw(key);
        let set = !value.is_empty();
        self.explain(key, if set { MASKED } else { NOT_SET }, origin.clone());
        set.then(|| Given { value: value.into(), origin })
    }

    pub(super) fn text(&mut self, key: &'static str) -> String {
        self.read(key, |text| Ok(text.to_owned())).unwrap_or_default()
    }

    pub(super) fn duration(&mut self, key: &'static str) -> Duration {
        self.duration_from(key, Duration::ZERO)
    }

    /// A duration that cannot be zero.
    pub(super) fn interval(&mut self, key: &'static str) -> Duration {
        self.duration_from(key, Duration::from_nanos(1))
    }

    /// A duration that is not shorter than another.
    pub(super) fn duration_from(&mut self, key: &'static str, least: Duration) -> Duration {
        let parse = |text: &str| match parse_duration(text) {
            Ok(duration) if duration < least && duration.is_zero() => {
                Err(format!("{text:?} is zero; write a time such as \"10s\""))
            }
            Ok(duration) if duration < least => Err(format!("{text:?} is shorter than {}", Written(least))),
            Ok(duration) => Ok(Written(duration)),
            Err(fault) => Err(fault.to_string()),
        };
        self.read(key, parse).map_or(Duration::ZERO, |written| written.0)
    }

    /// Durations separated by commas.
    pub(super) fn backoff(&mut self, key: &'static str) -> Vec<Duration> {
        let parse = |text: &str| Backoff::parse(text).map_err(|fault| fault.to_string());
        self.read(key, parse).map(|backoff| backoff.steps().to_vec()).unwrap_or_default()
    }

    pub(super) fn number(&mut self, key: &'static str, range: RangeInclusive<u32>) -> u32 {
        let parse = |text: &str| match u32::from_str(text.trim()) {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(format!("{text:?} is not a whole number from {} to {}", range.start(), range.end())),
        };
        self.read(key, parse).unwrap_or(*range.start())
    }

    pub(super) fn switch(&mut self, key: &'static str) -> bool {
        self.choice(key, &[false, true], |on| if on { "true" } else { "false" })
    }

    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, all: &[T], name: fn(T) -> &'static str) -> T {
        let names: Vec<&str> = all.iter().map(|value| name(*value)).collect();
        let parse = |text: &str| match names.iter().find(|name| text.trim().eq_ignore_ascii_case(name)) {
            Some(name) => Ok((*name).to_owned()),
            None => Err(format!("{text:?} is none of {}", names.join(", "))),
        };
        let chosen = self.read(key, parse);
        all.iter().copied().find(|value| chosen.as_deref() == Some(name(*value))).unwrap_or(all[0])
    }

    /// Every `bind.{name}`: a name and one token of a subject.
    pub(super) fn bindings(&mut self) -> Vec<(String, String)> {
        let mut bindings = Vec::new();
        for (key, value, origin) in self.found.starting_with(table::BIND) {
            let name = key[table::BIND.len()..].to_owned();
            let is_token = !value.is_empty()
                && value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
            let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !is_name {
                let text = "is not a name for `${name}`; it consists of letters, digits and `_`";
                self.faults.push(format!("{key}: {name:?} {text} ({origin})"));
            }
            if !is_token {
                let text = "is not one subject token; it consists of a-z, 0-9, `_` and `-`";
                self.faults.push(format!("{key}: {value:?} {text} ({origin})"));
            }
            self.explain(key, value, origin.to_owned());
            bindings.push((name, value.to_owned()));
        }
        bindings
    }
}

/// A duration that prints the way it is written.
struct Written(Duration);

impl Display for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&natspubsub_grammar::format_duration(self.0))
    }
}
