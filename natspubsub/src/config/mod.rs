//! The configuration: one type, filled from defaults, a file, the environment and code.

mod server_url;
mod settings;
mod sources;

use std::fmt;
use std::time::Duration;

pub(crate) use server_url::{Login, ServerUrl};

use crate::error::{Error, ErrorKind, Result};
use crate::subject::Namespace;

/// Which headers a message carries besides its message id.
///
/// Headers are the dearest bytes of a message, so `Compact` is the default.
///
/// ```
/// use natspubsub::{Config, WireHeaders};
/// let config = Config::builder().url("memory:").app("orders").build().unwrap();
/// assert_eq!(config.wire_headers(), WireHeaders::Compact);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireHeaders {
    /// `Nats-Msg-Id` only.
    Compact,
    /// Also `topic`, `Nats-Published-At` and `trace_id`, as the TypeScript and Ruby packages write them.
    Full,
}

/// Where a stream of the application keeps its messages.
///
/// ```
/// use natspubsub::{Config, Storage};
/// let config = Config::builder().url("memory:").app("orders").stream_storage(Storage::Memory).build().unwrap();
/// assert!(config.explain().contains("stream_storage"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// On disk: survives a restart of the server.
    File,
    /// In the server's memory: lost when the server stops.
    Memory,
}

/// The checked configuration of one application.
///
/// [`Config::load`] takes each value from the first of: the environment (`NATSPUBSUB_*`, `NATS_URL`),
/// the file `natspubsub.toml`, the default. Values set on a [`ConfigBuilder`] come before all of them.
///
/// ```
/// use natspubsub::Config;
/// let config = Config::builder().url("memory:").env("test").app("orders").build()?;
/// assert_eq!((config.env(), config.app()), ("test", "orders"));
/// # Ok::<(), natspubsub::Error>(())
/// ```
#[derive(Clone)]
pub struct Config {
    pub(crate) url: ServerUrl,
    pub(crate) namespace: Namespace,
    pub(crate) connect_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) publish_timeout: Duration,
    pub(crate) publish_attempts: u32,
    pub(crate) wire_headers: WireHeaders,
    pub(crate) stream: StreamSettings,
    /// The values of `${name}` in patterns.
    pub(crate) bindings: Vec<(String, String)>,
    pub(crate) origins: Vec<Explained>,
}

/// The settings of the streams that the application owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamSettings {
    pub(crate) storage: Storage,
    pub(crate) max_age: Duration,
    pub(crate) duplicate_window: Duration,
    pub(crate) replicas: u32,
}

/// One value with the place that it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Explained {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) origin: String,
}

impl Config {
    /// Reads the environment, `natspubsub.toml` in the working directory (or the file that `NATSPUBSUB_CONFIG`
    /// names) and the defaults.
    ///
    /// ```no_run
    /// let config = natspubsub::Config::load()?;
    /// println!("{}", config.explain());
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`] with every fault at once: an unreadable file, an unknown key, a value of the wrong form.
    pub fn load() -> Result<Self> {
        Self::builder().load()
    }

    /// Starts a configuration in code.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("orders").build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder::default()
    }

    /// The environment, the first token of every subject. Default: `development`.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("orders").build()?;
    /// assert_eq!(config.env(), "development");
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    pub fn env(&self) -> &str {
        self.namespace.env()
    }

    /// The application, the second token of every subject. Default: the name of the executable.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("My Orders").build()?;
    /// assert_eq!(config.app(), "my-orders");
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    pub fn app(&self) -> &str {
        self.namespace.app()
    }

    /// Which headers a message carries besides its message id.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("orders").build()?;
    /// assert_eq!(config.wire_headers(), natspubsub::WireHeaders::Compact);
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    pub fn wire_headers(&self) -> WireHeaders {
        self.wire_headers
    }

    /// The value of `${name}` in patterns.
    pub(crate) fn binding(&self, name: &str) -> Option<&str> {
        self.bindings.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Every value with the place that it came from, one a line; passwords are masked.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("nats://me:secret@localhost").app("orders").build()?;
    /// assert!(config.explain().contains("nats://me:***@localhost"));
    /// assert!(!config.explain().contains("secret"));
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    pub fn explain(&self) -> String {
        let lines: Vec<String> = self
            .origins
            .iter()
            .map(|line| format!("{:<24} = {:<32} # {}", line.key, line.value, line.origin))
            .collect();
        lines.join("\n")
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.origins.iter().map(|line| (&line.key, &line.value))).finish()
    }
}

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
    /// [`ErrorKind::Config`] with every fault at once.
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
    /// [`ErrorKind::Config`] with every fault at once.
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

/// One error for all faults of a configuration.
pub(crate) fn faults_error(faults: &[String]) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("the configuration has {} fault(s):\n  - {}", faults.len(), faults.join("\n  - ")),
    )
}
