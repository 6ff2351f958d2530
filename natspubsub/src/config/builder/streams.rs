//! Values set in code for the streams of the application.

use std::time::Duration;

use super::ConfigBuilder;
use crate::config::{Manage, Storage, manage_name, settings};

impl ConfigBuilder {
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

    /// What a start does about streams and consumers. Default: [`Manage::Apply`].
    ///
    /// ```
    /// use natspubsub::{Config, Manage};
    /// let config = Config::builder().url("memory:").app("a").manage(Manage::Verify).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn manage(self, manage: Manage) -> Self {
        self.set("manage", manage_name(manage))
    }

    /// Whether streams and consumers that nobody owns are taken over when they differ from the declaration. Default: no;
    /// the start then fails with what differs. What another application owns is never taken over.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("a").adopt(true).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn adopt(self, adopt: bool) -> Self {
        self.set("adopt", adopt.to_string())
    }

    /// Whether a consumer whose declaration the server cannot follow in place is replaced by a new one, which starts
    /// after what the old one has acknowledged. Default: no; the start then fails with what differs.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("a").migrate(true).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn migrate(self, migrate: bool) -> Self {
        self.set("migrate", migrate.to_string())
    }
}
