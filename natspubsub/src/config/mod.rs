//! The configuration: one type, filled from defaults, a file, the environment and code.

mod auth;
mod builder;
mod credentials;
mod files;
mod log_handled;
mod manage;
mod plan_form;
mod preset;
mod reader;
mod server_url;
mod settings;
mod size;
mod sources;
mod stores;
mod table;
mod tls;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) use auth::Auth;
pub use builder::ConfigBuilder;
pub(crate) use credentials::Credentials;
pub use log_handled::LogHandled;
pub use manage::Manage;
pub(crate) use manage::manage_name;
pub(crate) use plan_form::{PLAN, PlanForm, plan_asked};
pub use preset::Preset;
pub(crate) use server_url::{Login, ServerUrl};
pub use stores::InboxRetention;
pub(crate) use stores::StoreSettings;
pub use tls::TlsMode;
pub(crate) use tls::TlsSettings;

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

/// How durables are named whose attributes do not say it.
///
/// ```
/// use natspubsub::prelude::*;
/// use natspubsub::DurableNames;
///
/// #[subject_subscriber("match.accepted", stream = "MATCH_STREAM")]
/// async fn on_accepted(accepted: serde_json::Value) {
///     println!("{accepted}");
/// }
///
/// let config = Config::builder().url("memory:").app("users").durable_names(DurableNames::SubjectService).build()?;
/// // The durable of `on_accepted` is `match_accepted_users`, and without the setting `users-on_accepted`.
/// let app = App::builder().config(config).subscriber(on_accepted {}).build()?;
/// # Ok::<(), natspubsub::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DurableNames {
    /// `{app}-{function}`.
    AppFunction,
    /// `{subject}_{app}`: the pattern with `_` in place of its dots. `*` is `ANY`, `>` is `REST`, several patterns are joined
    /// by `_OR_`; other characters than `a-z`, `0-9` and `-` are encoded, so that two patterns never give one name.
    SubjectService,
}

/// The pause before a publish is tried again; it covers the election of a stream's leader.
pub(crate) const PUBLISH_PAUSE: Duration = Duration::from_millis(250);

/// The checked configuration of one application.
///
/// [`Config::load`] takes each value from the first of: the environment (`NATSPUBSUB_*`, then `NATS_URL` and its like),
/// the file `natspubsub.toml`, the [`Preset`], the default. Values set on a [`ConfigBuilder`] come before all of them.
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
    pub(crate) app_version: Option<String>,
    /// From the keys for it, or from the address.
    pub(crate) auth: Option<Auth>,
    pub(crate) tls: TlsSettings,
    pub(crate) inbox_prefix: String,
    /// Connections that publishers share in turn.
    pub(crate) connections: u32,
    pub(crate) connect_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) ping_interval: Duration,
    pub(crate) subscriber: SubscriberDefaults,
    pub(crate) durable_names: DurableNames,
    pub(crate) log_handled: LogHandled,
    pub(crate) publish_timeout: Duration,
    pub(crate) publish_attempts: u32,
    /// Publishes that wait for their confirmation at once.
    pub(crate) publish_window: u32,
    pub(crate) wire_headers: WireHeaders,
    pub(crate) mirror_payload: bool,
    /// Whether W3C Baggage travels with messages.
    pub(crate) baggage: bool,
    /// In bytes; `None` compresses nothing.
    pub(crate) compress_above: Option<usize>,
    /// The most bytes of a compressed message once inflated.
    pub(crate) inflate_max: usize,
    pub(crate) stream: StreamSettings,
    pub(crate) stores: StoreSettings,
    /// What a start does about streams and consumers.
    pub(crate) manage: Manage,
    /// Whether what nobody owns is taken over when it differs.
    pub(crate) adopt: bool,
    /// Whether a consumer is replaced when the server does not change it in place.
    pub(crate) migrate: bool,
    /// Where the admin server listens, if there is one.
    pub(crate) admin: Option<SocketAddr>,
    /// More messages than this that wait at one consumer degrade health.
    pub(crate) health_backlog: u32,
    /// The values of `${name}` in patterns.
    pub(crate) bindings: Vec<(String, String)>,
    pub(crate) origins: Vec<Explained>,
}

/// What holds for subscribers whose attributes do not say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SubscriberDefaults {
    pub(crate) concurrency: u32,
    pub(crate) max_attempts: u32,
    pub(crate) ack_wait: Duration,
    /// At least one step.
    pub(crate) backoff: Vec<Duration>,
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

    /// How long one publish may be tried again at most.
    pub(crate) fn publish_horizon(&self) -> Duration {
        (self.publish_timeout + PUBLISH_PAUSE) * self.publish_attempts
    }

    /// The value of `${name}` in patterns.
    pub(crate) fn binding(&self, name: &str) -> Option<&str> {
        self.bindings.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Every value with the place that it came from, one a line; passwords and other secrets are masked.
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

#[cfg(test)]
mod tests;
