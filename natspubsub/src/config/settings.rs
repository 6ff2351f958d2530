//! The table of settings, and the step from texts to checked values.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use natspubsub_grammar::parse_duration;

use super::sources::Found;
use super::{Config, Explained, ServerUrl, Storage, StreamSettings, WireHeaders, faults_error};
use crate::error::Result;
use crate::subject::Namespace;

/// Every setting and its default. An empty default is computed.
const SETTINGS: [(&str, &str); 13] = [
    ("url", "nats://127.0.0.1:4222"),
    ("env", "development"),
    ("app", ""),
    ("connect_timeout", "30s"),
    ("shutdown_timeout", "30s"),
    ("publish_timeout", "5s"),
    ("publish_attempts", "3"),
    ("ping_interval", "10s"),
    ("wire_headers", "compact"),
    ("stream_storage", "file"),
    ("stream_max_age", "7d"),
    ("stream_duplicate_window", "2m"),
    ("stream_replicas", "1"),
];

/// The beginning of the keys that give `${name}` its value.
pub(super) const BIND: &str = "bind.";

pub(super) fn keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    SETTINGS.into_iter()
}

pub(super) fn storage_name(storage: Storage) -> &'static str {
    match storage {
        Storage::File => "file",
        Storage::Memory => "memory",
    }
}

pub(super) fn wire_headers_name(headers: WireHeaders) -> &'static str {
    match headers {
        WireHeaders::Compact => "compact",
        WireHeaders::Full => "full",
    }
}

/// Reads every setting and reports all faults at once.
pub(super) fn resolve(found: &Found) -> Result<Config> {
    let mut reader = Reader { found, faults: found.faults.clone(), origins: Vec::new() };
    let url = reader.read("url", ServerUrl::parse);
    let env = reader.text("env");
    let app = reader.text("app");
    let namespace = Namespace::new(&env, &app).map_err(|error| reader.faults.push(error.to_string()));
    let connect_timeout = reader.duration("connect_timeout");
    let shutdown_timeout = reader.duration("shutdown_timeout");
    let publish_timeout = reader.duration("publish_timeout");
    let publish_attempts = reader.number("publish_attempts", 1..=100);
    let ping_interval = reader.interval("ping_interval");
    let wire_headers = reader.choice("wire_headers", &[WireHeaders::Compact, WireHeaders::Full], wire_headers_name);
    let stream = StreamSettings {
        storage: reader.choice("stream_storage", &[Storage::File, Storage::Memory], storage_name),
        max_age: reader.duration("stream_max_age"),
        duplicate_window: reader.duration("stream_duplicate_window"),
        replicas: reader.number("stream_replicas", 1..=5),
    };
    let bindings = reader.bindings();
    if matches!(url, Some(ServerUrl::Memory { .. })) && env.trim().eq_ignore_ascii_case("production") {
        reader.faults.push("url memory: keeps nothing when the process ends; env \"production\" needs a server".into());
    }
    if stream.duplicate_window > stream.max_age && !stream.max_age.is_zero() {
        reader.faults.push("stream_duplicate_window is longer than stream_max_age; the server refuses that".into());
    }
    match (url, namespace) {
        (Some(url), Ok(namespace)) if reader.faults.is_empty() => Ok(Config {
            url,
            namespace,
            connect_timeout,
            shutdown_timeout,
            publish_timeout,
            publish_attempts,
            ping_interval,
            wire_headers,
            stream,
            bindings,
            origins: reader.origins,
        }),
        _ => Err(faults_error(&reader.faults)),
    }
}

struct Reader<'a> {
    found: &'a Found,
    faults: Vec<String>,
    origins: Vec<Explained>,
}

impl Reader<'_> {
    /// The text of a setting and where it came from.
    fn raw(&self, key: &'static str) -> (String, String) {
        if let Some((value, origin)) = self.found.get(key) {
            return (value.to_owned(), origin.to_owned());
        }
        if key == "app" {
            return (executable_name(), "default: the name of the executable".to_owned());
        }
        let default = keys().find(|(name, _)| *name == key).map_or("", |(_, default)| default);
        (default.to_owned(), "default".to_owned())
    }

    fn read<T: Display>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let (text, origin) = self.raw(key);
        match parse(&text) {
            Ok(value) => {
                self.origins.push(Explained { key: key.to_owned(), value: value.to_string(), origin });
                Some(value)
            }
            Err(fault) => {
                self.faults.push(format!("{key}: {fault} ({origin})"));
                None
            }
        }
    }

    /// Every `bind.{name}`: a name and one token of a subject.
    fn bindings(&mut self) -> Vec<(String, String)> {
        let mut bindings = Vec::new();
        for (key, value, origin) in self.found.starting_with(BIND) {
            let name = key[BIND.len()..].to_owned();
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
            self.origins.push(Explained { key: key.to_owned(), value: value.to_owned(), origin: origin.to_owned() });
            bindings.push((name, value.to_owned()));
        }
        bindings
    }

    fn text(&mut self, key: &'static str) -> String {
        self.read(key, |text| Ok(text.to_owned())).unwrap_or_default()
    }

    fn duration(&mut self, key: &'static str) -> Duration {
        self.duration_from(key, Duration::ZERO)
    }

    /// A duration that cannot be zero.
    fn interval(&mut self, key: &'static str) -> Duration {
        self.duration_from(key, Duration::from_nanos(1))
    }

    fn duration_from(&mut self, key: &'static str, least: Duration) -> Duration {
        let parse = |text: &str| match parse_duration(text) {
            Ok(duration) if duration < least => Err(format!("{text:?} is zero; write a time such as \"10s\"")),
            Ok(duration) => Ok(Written(duration)),
            Err(fault) => Err(fault.to_string()),
        };
        self.read(key, parse).map_or(Duration::ZERO, |written| written.0)
    }

    fn number(&mut self, key: &'static str, range: std::ops::RangeInclusive<u32>) -> u32 {
        let parse = |text: &str| match u32::from_str(text.trim()) {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(format!("{text:?} is not a whole number from {} to {}", range.start(), range.end())),
        };
        self.read(key, parse).unwrap_or(*range.start())
    }

    fn choice<T: Copy>(&mut self, key: &'static str, all: &[T], name: fn(T) -> &'static str) -> T {
        let names: Vec<&str> = all.iter().map(|value| name(*value)).collect();
        let parse = |text: &str| match names.iter().find(|name| text.trim().eq_ignore_ascii_case(name)) {
            Some(name) => Ok((*name).to_owned()),
            None => Err(format!("{text:?} is none of {}", names.join(", "))),
        };
        let chosen = self.read(key, parse);
        all.iter().copied().find(|value| chosen.as_deref() == Some(name(*value))).unwrap_or(all[0])
    }
}

/// A duration that prints the way it is written.
struct Written(Duration);

impl Display for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&natspubsub_grammar::format_duration(self.0))
    }
}

/// The stem of the executable, without the hash that cargo adds to test binaries.
fn executable_name() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("app");
    let is_hash = |tail: &str| tail.len() == 16 && tail.bytes().all(|b| b.is_ascii_hexdigit());
    match stem.rsplit_once('-') {
        Some((name, tail)) if is_hash(tail) => name.to_owned(),
        _ => stem.to_owned(),
    }
}
