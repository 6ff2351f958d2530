//! Presets: other defaults for subscribers, as fit the place where the application runs.

/// Other defaults for subscribers, as fit the place where the application runs.
///
/// | | `concurrency` | `max_attempts` | `ack_wait` | `backoff` |
/// |---|---|---|---|---|
/// | `Development` | 5 | 3 | 10s | 500ms, 2s, 5s |
/// | `Testing` | 1 | 2 | 1s | 100ms, 500ms |
/// | `Staging` | 10 | 5 | 30s | as without a preset |
/// | `Production` | 20 | 5 | 30s | as without a preset |
///
/// Whatever is set in code, in the environment or in the file comes before a preset.
///
/// ```
/// use natspubsub::{Config, Preset};
/// let config = Config::builder().url("memory:").app("orders").preset(Preset::Production).concurrency(50).build()?;
/// assert!(config.explain().contains("max_attempts"));
/// # Ok::<(), natspubsub::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// A developer's machine: failures show soon.
    Development,
    /// Tests: one message at a time, and little patience.
    Testing,
    /// As production, with less at once.
    Staging,
    /// Production.
    Production,
}

/// The columns of [`PRESET_DEFAULTS`].
const COLUMNS: [Preset; 4] = [Preset::Development, Preset::Testing, Preset::Staging, Preset::Production];

/// The defaults of each preset; an empty one is that of the table of settings.
const PRESET_DEFAULTS: [(&str, [&str; 4]); 4] = [
    ("concurrency", ["5", "1", "10", "20"]),
    ("max_attempts", ["3", "2", "5", "5"]),
    ("ack_wait", ["10s", "1s", "30s", "30s"]),
    ("backoff", ["500ms, 2s, 5s", "100ms, 500ms", "", ""]),
];

/// What the setting `preset` can be.
pub(super) const ALL: [Option<Preset>; 5] =
    [None, Some(Preset::Development), Some(Preset::Testing), Some(Preset::Staging), Some(Preset::Production)];

/// A preset as the setting `preset` writes it.
pub(super) fn name(preset: Option<Preset>) -> &'static str {
    match preset {
        None => "none",
        Some(Preset::Development) => "development",
        Some(Preset::Testing) => "testing",
        Some(Preset::Staging) => "staging",
        Some(Preset::Production) => "production",
    }
}

/// What a preset says about a setting.
pub(super) fn default(preset: Preset, key: &str) -> Option<&'static str> {
    let column = COLUMNS.iter().position(|column| *column == preset)?;
    let (_, values) = PRESET_DEFAULTS.iter().find(|(name, _)| *name == key)?;
    Some(values[column]).filter(|value| !value.is_empty())
}
