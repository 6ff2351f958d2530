//! Values set in code for the connection.

use std::time::Duration;

use super::ConfigBuilder;

impl ConfigBuilder {
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

    /// The beginning of the subjects that answers come to. Default: `_INBOX.{env}-{app}`.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("a").inbox_prefix("_INBOX.a7").build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn inbox_prefix(self, prefix: impl Into<String>) -> Self {
        self.set("inbox_prefix", prefix)
    }

    /// How many connections publishers share in turn, from 1 to 16. Default: 1.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("a").connections(2).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn connections(self, count: u32) -> Self {
        self.set("connections", count.to_string())
    }
}
