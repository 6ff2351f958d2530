//! How loud the log is about what is handled well.

/// How loud the log is about a message that is handled well. Failures are told in any case.
///
/// ```
/// use natspubsub::{Config, LogHandled};
/// let config = Config::builder().url("memory:").app("a").log_handled(LogHandled::Debug).build()?;
/// # Ok::<(), natspubsub::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogHandled {
    /// A line at `INFO`.
    Info,
    /// A line at `DEBUG`.
    Debug,
    /// A line at `TRACE`.
    Trace,
    /// No line.
    Off,
}

impl LogHandled {
    pub(super) const ALL: [Self; 4] = [Self::Info, Self::Debug, Self::Trace, Self::Off];

    pub(in crate::config) fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
            Self::Off => "off",
        }
    }
}
