//! The configuration: one type, filled from defaults, a file, the environment and code.

mod builder;
mod server_url;
mod settings;
mod sources;

use std::fmt;
use std::time::Duration;

pub use builder::ConfigBuilder;
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
    pub(crate) ping_interval: Duration,
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

/// One error for all faults of a configuration.
pub(crate) fn faults_error(faults: &[String]) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("the configuration has {} fault(s):\n  - {}", faults.len(), faults.join("\n  - ")),
    )
}
