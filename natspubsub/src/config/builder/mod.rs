//! Values set in code.

mod admin;
mod connection;
mod login;
mod publishing;
mod stores;
mod streams;
mod subscribers;

use std::fmt;
use std::time::Duration;

use super::{Config, settings, sources, table};
use crate::error::Result;

/// Values set in code; they come before the environment and the file.
///
/// ```
/// use natspubsub::Config;
/// use std::time::Duration;
/// let config = Config::builder()
///     .url("memory:")
///     .env("test")
///     .app("orders")
///     .shutdown_timeout(Duration::from_secs(5))
///     .build()?;
/// # Ok::<(), natspubsub::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct ConfigBuilder {
    values: Vec<(String, String)>,
}

impl ConfigBuilder {
    pub(crate) fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.values.push((key.into(), value.into()));
        self
    }

    /// The environment, the first token of every subject. Default: `development`.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("orders").env("Staging").build()?;
    /// assert_eq!(config.env(), "staging");
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn env(self, env: impl Into<String>) -> Self {
        self.set("env", env)
    }

    /// The application, the second token of every subject. Default: the name of the executable.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("orders").build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn app(self, app: impl Into<String>) -> Self {
        self.set("app", app)
    }

    /// How long the shutdown waits for running handlers. Default: 30 seconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let config = natspubsub::Config::builder().url("memory:").app("a").shutdown_timeout(Duration::from_secs(3)).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn shutdown_timeout(self, limit: Duration) -> Self {
        self.set("shutdown_timeout", natspubsub_grammar::format_duration(limit))
    }

    /// The value of `${name}` in patterns, such as the name of this instance; one subject token.
    ///
    /// The environment variable is `NATSPUBSUB_BIND_{NAME}`, the file has a table `[bind]`. A pattern whose value is
    /// missing is a fault at start.
    ///
    /// ```
    /// use natspubsub::prelude::*;
    ///
    /// #[topic_subscriber("task.${pod_id}.assigned")]
    /// async fn on_task(task: serde_json::Value) {
    ///     println!("{task}");
    /// }
    ///
    /// let config = Config::builder().url("memory:").app("tasks").bind("pod_id", "pod-1").build()?;
    /// let app = App::builder().config(config).subscriber(on_task {}).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn bind(self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.set(format!("{}{}", table::BIND, name.as_ref()), value)
    }

    /// Checks the values set in code over the defaults, without looking at the environment or a file.
    ///
    /// ```
    /// let error = natspubsub::Config::builder().env("a.b").app("orders").build().unwrap_err();
    /// assert!(error.to_string().contains("env \"a.b\" is not a subject token"));
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) with every fault at once.
    pub fn build(self) -> Result<Config> {
        settings::resolve(&sources::Found::in_code(self.values))
    }

    /// Checks the values set in code over the environment, the file and the defaults.
    ///
    /// ```no_run
    /// let config = natspubsub::Config::builder().app("orders").load()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) with every fault at once.
    pub fn load(self) -> Result<Config> {
        let environment: Vec<(String, String)> = sources::environment();
        settings::resolve(&sources::Found::everywhere(self.values, &environment)?)
    }
}

impl fmt::Debug for ConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.values.iter().map(|(key, _)| key.as_str()).collect();
        f.debug_struct("ConfigBuilder").field("set", &keys).finish()
    }
}
