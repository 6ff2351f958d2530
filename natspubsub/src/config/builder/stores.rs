//! Values set in code for inbox and outbox.

use std::time::Duration;

use natspubsub_grammar::format_duration;

use super::ConfigBuilder;
use crate::config::InboxRetention;

impl ConfigBuilder {
    /// Whether the application publishes what stands in the outbox of its stores. Default: true.
    ///
    /// With `false` somebody else has to: another process of the application, or a [`Relay`](crate::Relay) of its own.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("a").relay(false).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn relay(self, relays: bool) -> Self {
        self.set("relay", relays.to_string())
    }

    /// How long a message stays in the outbox after it was sent. Default: 24 hours.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let config = natspubsub::Config::builder().url("memory:").app("a").outbox_retention(Duration::from_secs(60)).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn outbox_retention(self, time: Duration) -> Self {
        self.set("outbox_retention", format_duration(time))
    }

    /// How often a message of the outbox is tried, from 1 to 1,000, when no stream takes its subject. Then it is `failed`.
    /// Default: 10.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("a").outbox_max_attempts(3).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn outbox_max_attempts(self, count: u32) -> Self {
        self.set("outbox_max_attempts", count.to_string())
    }

    /// How often a relay looks for messages that it was not told of. Default: 1 second.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let config = natspubsub::Config::builder().url("memory:").app("a").outbox_poll(Duration::from_millis(200)).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn outbox_poll(self, time: Duration) -> Self {
        self.set("outbox_poll", format_duration(time))
    }

    /// How many messages of one relay are on their way at once, from 1 to 65,536. Default: 256.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("a").outbox_batch(1_024).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn outbox_batch(self, count: u32) -> Self {
        self.set("outbox_batch", count.to_string())
    }

    /// How long a relay leads its part of the outbox without renewing that, at least 100 milliseconds: after the death of a
    /// relay the others take over within this time. Default: 10 seconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let config = natspubsub::Config::builder().url("memory:").app("a").outbox_lease(Duration::from_secs(5)).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn outbox_lease(self, time: Duration) -> Self {
        self.set("outbox_lease", format_duration(time))
    }

    /// How long the inbox remembers what was handled. Default: [`InboxRetention::Auto`].
    ///
    /// ```
    /// use natspubsub::{Config, InboxRetention};
    /// let config = Config::builder().url("memory:").app("a").inbox_retention(InboxRetention::Never).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn inbox_retention(self, retention: InboxRetention) -> Self {
        self.set("inbox_retention", retention.to_string())
    }

    /// Starts all the same when a stream keeps its messages longer than the inbox remembers them. Default: that is a fault
    /// of the start, because a message that comes again later would be handled twice.
    ///
    /// ```
    /// # use natspubsub::{Config, InboxRetention};
    /// # use std::time::Duration;
    /// let hour = InboxRetention::After(Duration::from_secs(3600));
    /// let config = Config::builder().url("memory:").app("a").inbox_retention(hour).allow_short_inbox_retention().build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn allow_short_inbox_retention(self) -> Self {
        self.set("inbox_retention_check", "warn")
    }
}
