//! Values set in code.

use std::fmt;
use std::time::Duration;

use super::{Config, Storage, WireHeaders, settings, sources};
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
    fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.values.push((key.into(), value.into()));
        self
    }

    /// The server: `nats://host:port`, several separated by commas, or `memory:` for the in-process broker.
    /// Default: `nats://127.0.0.1:4222`.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("nats://127.0.0.1:4222").app("orders").build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn url(self, url: impl Into<String>) -> Self {
        self.set("url", url)
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

    /// How long the start waits for a server. Default: 30 seconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let config = natspubsub::Config::builder().url("memory:").app("a").connect_timeout(Duration::from_secs(3)).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn connect_timeout(self, limit: Duration) -> Self {
        self.set("connect_timeout", natspubsub_grammar::format_duration(limit))
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

    /// Where the application's streams keep their messages. Default: [`Storage::File`].
    ///
    /// ```
    /// use natspubsub::{Config, Storage};
    /// let config = Config::builder().url("memory:").app("a").stream_storage(Storage::Memory).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn stream_storage(self, storage: Storage) -> Self {
        self.set("stream_storage", settings::storage_name(storage))
    }

    /// How long the application's stream keeps messages. Default: 7 days.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let config = natspubsub::Config::builder().url("memory:").app("a").stream_max_age(Duration::from_secs(3_600)).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn stream_max_age(self, age: Duration) -> Self {
        self.set("stream_max_age", natspubsub_grammar::format_duration(age))
    }

    /// How long one publish waits for its confirmation. Default: 5 seconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let config = natspubsub::Config::builder().url("memory:").app("a").publish_timeout(Duration::from_secs(2)).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn publish_timeout(self, time: Duration) -> Self {
        self.set("publish_timeout", natspubsub_grammar::format_duration(time))
    }

    /// How often the connection is asked for a sign of life; a server that is gone without a word is noticed after two to
    /// three of them. Default: 10 seconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let config = natspubsub::Config::builder().url("memory:").app("a").ping_interval(Duration::from_secs(2)).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn ping_interval(self, time: Duration) -> Self {
        self.set("ping_interval", natspubsub_grammar::format_duration(time))
    }

    /// Inside which time the streams store an event id once. Default: 2 minutes.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let config = natspubsub::Config::builder().url("memory:").app("a").stream_duplicate_window(Duration::from_secs(600)).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn stream_duplicate_window(self, time: Duration) -> Self {
        self.set("stream_duplicate_window", natspubsub_grammar::format_duration(time))
    }

    /// How often a publish without a certain answer is tried, with the same message id. Default: 3.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("a").publish_attempts(5).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn publish_attempts(self, count: u32) -> Self {
        self.set("publish_attempts", count.to_string())
    }

    /// On how many servers of a cluster the application's streams are kept, from 1 to 5. Default: 1.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("a").stream_replicas(3).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn stream_replicas(self, count: u32) -> Self {
        self.set("stream_replicas", count.to_string())
    }

    /// Which headers a message carries besides its message id. Default: [`WireHeaders::Compact`].
    ///
    /// ```
    /// use natspubsub::{Config, WireHeaders};
    /// let config = Config::builder().url("memory:").app("a").wire_headers(WireHeaders::Full).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn wire_headers(self, headers: WireHeaders) -> Self {
        self.set("wire_headers", settings::wire_headers_name(headers))
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
        self.set(format!("{}{}", settings::BIND, name.as_ref()), value)
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
