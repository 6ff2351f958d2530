//! The printed form of a change: one line, with times and sizes as people write them. Pure.

use std::fmt;
use std::time::Duration;

use natspubsub_grammar::format_duration;
use serde_json::Value;

use super::change::{AssetKind, Change, ChangeKind, FieldChange};
use super::owner::{filters, subjects};
use crate::transport::{AssetConfig, config_text};

/// Fields that count nanoseconds.
const TIMES: [&str; 6] =
    ["max_age", "duplicate_window", "ack_wait", "inactive_threshold", "subject_delete_marker_ttl", "max_expires"];

/// Fields that count bytes.
const SIZES: [&str; 2] = ["max_bytes", "max_msg_size"];

/// Fields where the server writes -1 for "no limit".
const COUNTS: [&str; 5] = ["max_msgs", "max_msgs_per_subject", "max_consumers", "max_deliver", "max_ack_pending"];

/// Below this, a time is printed in seconds: "60s" stands beside "30s".
const SECONDS_BELOW: Duration = Duration::from_secs(120);

const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

fn time(nanos: u64) -> String {
    let duration = Duration::from_nanos(nanos);
    match duration {
        Duration::ZERO => "unlimited".to_owned(),
        _ if duration < SECONDS_BELOW && duration.subsec_nanos() == 0 => format!("{}s", duration.as_secs()),
        _ => format_duration(duration),
    }
}

fn size(bytes: u64) -> String {
    let unit = UNITS.iter().find(|(_, size)| bytes.is_multiple_of(*size) && bytes >= *size);
    unit.map_or_else(|| format!("{bytes}B"), |(name, size)| format!("{}{name}", bytes / size))
}

/// A value of a field.
pub(super) fn value(field: &str, value: &Value) -> String {
    let is_limit = SIZES.contains(&field) || COUNTS.contains(&field);
    match value {
        Value::Null => "unset".to_owned(),
        Value::Number(number) if is_limit && number.as_i64().is_some_and(|number| number < 0) => "unlimited".to_owned(),
        Value::Number(number) if TIMES.contains(&field) => number.as_u64().map_or_else(|| number.to_string(), time),
        Value::Number(number) if SIZES.contains(&field) => number.as_u64().map_or_else(|| number.to_string(), size),
        Value::String(text) => text.clone(),
        Value::Array(values) if values.iter().all(Value::is_string) => {
            values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, from, to, .. } = self;
        write!(f, "{field} {} -> {}", value(field, from), value(field, to))
    }
}

/// The filter of a consumer is in one of two fields.
const FILTERS: [&str; 2] = ["filter_subject", "filter_subjects"];

/// Several fields on one line.
pub(super) fn list(fields: &[FieldChange]) -> String {
    let (filter, others): (Vec<_>, Vec<_>) = fields.iter().partition(|change| FILTERS.contains(&change.field.as_str()));
    let mut parts: Vec<String> = others.into_iter().map(ToString::to_string).collect();
    let side = |of: fn(&FieldChange) -> &Value| {
        let set = filter.iter().map(|change| of(change)).find(|own| !own.is_null());
        set.map_or_else(|| "every subject".to_owned(), |own| value(FILTERS[0], own))
    };
    if !filter.is_empty() {
        parts.push(format!("filter {} -> {}", side(|change| &change.from), side(|change| &change.to)));
    }
    parts.join(", ")
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.kind {
            ChangeKind::Create => '+',
            ChangeKind::Update => '~',
            ChangeKind::Migrate { .. } => '!',
            ChangeKind::Foreign { .. } => 'x',
        };
        write!(f, "{mark} {:<8} {}  ", self.asset.name(), self.name)?;
        match &self.kind {
            ChangeKind::Create if self.asset == AssetKind::Stream => f.write_str(&stream(&self.config)),
            ChangeKind::Create => f.write_str(&consumer(&self.config)),
            ChangeKind::Update => write!(f, "{}  in place", list(&self.fields)),
            ChangeKind::Migrate { to: None } => write!(f, "{}  needs migration", list(&self.fields)),
            ChangeKind::Migrate { to: Some(name) } => write!(f, "{}  migrates to {name}", list(&self.fields)),
            ChangeKind::Foreign { owner: Some(owner) } => {
                write!(f, "{}  foreign (owner: {owner})", list(&self.fields))
            }
            ChangeKind::Foreign { owner: None } => write!(f, "{}  foreign (no owner)", list(&self.fields)),
        }
    }
}

fn stream(config: &AssetConfig) -> String {
    let origin = match config.get("mirror").and_then(|mirror| mirror.get("name")).and_then(Value::as_str) {
        Some(name) => format!("mirror of {name}"),
        None => format!("subjects {}", subjects(config).collect::<Vec<_>>().join(", ")),
    };
    let age = value("max_age", config.get("max_age").unwrap_or(&Value::from(0)));
    let mut parts = vec![config_text(config, "retention").to_owned(), config_text(config, "storage").to_owned(), age];
    if let Some(replicas) = config.get("num_replicas").and_then(Value::as_u64).filter(|replicas| *replicas > 1) {
        parts.push(format!("{replicas} replicas"));
    }
    format!("{origin}  {}", parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "))
}

fn consumer(config: &AssetConfig) -> String {
    let filters = filters(config);
    let read = if filters.is_empty() { "every subject".to_owned() } else { format!("filter {}", filters.join(", ")) };
    let field = |field: &str| config.get(field).map(|own| format!("{field} {}", value(field, own)));
    let limits: Vec<String> = ["ack_wait", "max_deliver"].into_iter().filter_map(field).collect();
    let policy = config_text(config, "deliver_policy");
    format!("{read}  deliver {policy}, {}", limits.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_printed_as_people_write_them() {
        for (field, raw, printed) in [
            ("ack_wait", json!(30_000_000_000_u64), "30s"),
            ("ack_wait", json!(60_000_000_000_u64), "60s"),
            ("ack_wait", json!(1_500_000_000), "1500ms"),
            ("max_age", json!(3_600_000_000_000_u64), "1h"),
            ("max_age", json!(604_800_000_000_000_u64), "7d"),
            ("max_age", json!(0), "unlimited"),
            ("max_bytes", json!(-1), "unlimited"),
            ("max_bytes", json!(64 * 1024 * 1024), "64MiB"),
            ("max_msg_size", json!(1_000), "1000B"),
            ("max_msgs", json!(7), "7"),
            ("subjects", json!(["a.>", "b"]), "a.>, b"),
            ("filter_subject", Value::Null, "unset"),
            ("placement", json!({"cluster": "eu"}), "{\"cluster\":\"eu\"}"),
        ] {
            assert_eq!(value(field, &raw), printed, "{field} {raw}");
        }
    }
}
