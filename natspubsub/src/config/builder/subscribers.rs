//! Values set in code for subscribers that do not say it themselves.

use std::time::Duration;

use super::ConfigBuilder;
use crate::config::{DurableNames, LogHandled, Preset, preset, settings};

impl ConfigBuilder {
    /// Other defaults for subscribers, as fit a development machine, tests, staging or production. Default: none.
    ///
    /// ```
    /// use natspubsub::{Config, Preset};
    /// let config = Config::builder().url("memory:").app("a").preset(Preset::Testing).build()?;
    /// assert!(config.explain().contains("preset \"testing\""));
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn preset(self, preset: Preset) -> Self {
        self.set("preset", preset::name(Some(preset)))
    }

    /// How many handlers of one subscriber run at once, from 1 to 10,000, unless its attribute says it. Default: 16.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("a").concurrency(4).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn concurrency(self, count: u32) -> Self {
        self.set("concurrency", count.to_string())
    }

    /// How many attempts a message has, from 1 to 1,000, before it becomes a dead letter, unless the subscriber's
    /// attribute says it. Default: 5.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("a").max_attempts(3).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn max_attempts(self, count: u32) -> Self {
        self.set("max_attempts", count.to_string())
    }

    /// How long the server waits for a sign of life before it delivers again, unless the subscriber's attribute says it.
    /// Default: 30 seconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let config = natspubsub::Config::builder().url("memory:").app("a").ack_wait(Duration::from_secs(10)).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn ack_wait(self, time: Duration) -> Self {
        self.set("ack_wait", natspubsub_grammar::format_duration(time))
    }

    /// The delays between attempts, none shorter than the one before it, unless the subscriber's attribute says it; past
    /// the last one the delay doubles. Default: 1, 2, 5, 10 and 30 seconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let steps = [Duration::from_millis(100), Duration::from_secs(1)];
    /// let config = natspubsub::Config::builder().url("memory:").app("a").backoff(steps).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn backoff(self, steps: impl AsRef<[Duration]>) -> Self {
        let steps: Vec<String> = steps.as_ref().iter().map(|step| natspubsub_grammar::format_duration(*step)).collect();
        self.set("backoff", steps.join(", "))
    }

    /// How durables are named whose attributes do not say it. Default: [`DurableNames::AppFunction`].
    ///
    /// ```
    /// use natspubsub::{Config, DurableNames};
    /// let config = Config::builder().url("memory:").app("a").durable_names(DurableNames::SubjectService).build()?;
    /// assert!(config.explain().contains("subject_service"));
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn durable_names(self, names: DurableNames) -> Self {
        self.set("durable_names", settings::durable_names_name(names))
    }

    /// How loud the log is about a message that is handled well. Default: [`LogHandled::Info`].
    ///
    /// ```
    /// use natspubsub::{Config, LogHandled};
    /// let config = Config::builder().url("memory:").app("a").log_handled(LogHandled::Off).build()?;
    /// assert!(config.explain().contains("log_handled"));
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn log_handled(self, level: LogHandled) -> Self {
        self.set("log_handled", level.name())
    }
}
