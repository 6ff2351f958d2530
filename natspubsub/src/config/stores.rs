//! The settings of inbox and outbox.

use std::fmt;
use std::time::Duration;

use natspubsub_grammar::{format_duration, parse_duration};

use super::reader::Reader;

/// The shortest lease: a third of it renews it, and a third is the margin before its end.
const LEASE_MIN: Duration = Duration::from_millis(100);

/// How long an inbox remembers what was handled.
///
/// ```
/// use natspubsub::{Config, InboxRetention};
/// use std::time::Duration;
/// let month = InboxRetention::After(Duration::from_secs(30 * 24 * 60 * 60));
/// let config = Config::builder().url("memory:").app("orders").inbox_retention(month).build()?;
/// assert!(config.explain().contains("30d"));
/// # Ok::<(), natspubsub::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InboxRetention {
    /// As long as a message can come again from its stream, and a day more. The default.
    Auto,
    /// Nothing is deleted.
    Never,
    /// What was handled longer ago is deleted.
    After(Duration),
}

impl InboxRetention {
    fn parse(text: &str) -> Result<Self, String> {
        match text.trim() {
            word if word.eq_ignore_ascii_case("auto") => Ok(Self::Auto),
            word if word.eq_ignore_ascii_case("never") => Ok(Self::Never),
            time => parse_duration(time).map(Self::After).map_err(|fault| format!("{fault}, or \"auto\" or \"never\"")),
        }
    }
}

impl fmt::Display for InboxRetention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Never => f.write_str("never"),
            Self::After(time) => f.write_str(&format_duration(*time)),
        }
    }
}

/// What holds for the stores of the application, and for a relay of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoreSettings {
    /// Whether the application relays the outbox of its stores.
    pub(crate) relay: bool,
    /// How long a sent message is kept.
    pub(crate) outbox_retention: Duration,
    /// How often a message is tried that no stream takes.
    pub(crate) outbox_max_attempts: u32,
    /// How often a relay looks without having been told of a message.
    pub(crate) outbox_poll: Duration,
    /// How many messages of a relay are on their way at once.
    pub(crate) outbox_batch: u32,
    /// How long a relay leads without renewing that.
    pub(crate) outbox_lease: Duration,
    pub(crate) inbox_retention: InboxRetention,
    /// Whether a retention that is too short keeps the application from starting.
    pub(crate) inbox_retention_is_strict: bool,
}

pub(super) fn read(reader: &mut Reader<'_>) -> StoreSettings {
    StoreSettings {
        relay: reader.switch("relay"),
        outbox_retention: reader.duration("outbox_retention"),
        outbox_max_attempts: reader.number("outbox_max_attempts", 1..=1_000),
        outbox_poll: reader.interval("outbox_poll"),
        outbox_batch: reader.number("outbox_batch", 1..=65_536),
        outbox_lease: reader.duration_from("outbox_lease", LEASE_MIN),
        inbox_retention: reader.read("inbox_retention", InboxRetention::parse).unwrap_or(InboxRetention::Auto),
        inbox_retention_is_strict: reader
            .choice("inbox_retention_check", &[true, false], |strict| if strict { "error" } else { "warn" }),
    }
}
