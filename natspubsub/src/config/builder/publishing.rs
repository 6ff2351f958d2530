//! Values set in code for what is published.

use std::time::Duration;

use super::ConfigBuilder;
use crate::config::{WireHeaders, settings};

impl ConfigBuilder {
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

    /// How many publishes wait for their confirmation at once, from 1 to 65,536; more wait for their turn.
    /// Default: 1,024.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("a").publish_window(256).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn publish_window(self, count: u32) -> Self {
        self.set("publish_window", count.to_string())
    }

    /// Whether the body of a message also stands under `payload`, for old readers. Default: false.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("a").mirror_payload(true).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn mirror_payload(self, mirror: bool) -> Self {
        self.set("mirror_payload", mirror.to_string())
    }

    /// Whether the W3C Baggage of a trace travels with messages, up to 8 KiB: it is read and written with the feature `otel`,
    /// and otherwise passes on from the handled message. Default: false; baggage may hold what is nobody else's business.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("a").baggage(true).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn baggage(self, travels: bool) -> Self {
        self.set("baggage", travels.to_string())
    }

    /// Messages of more bytes than this are compressed with gzip; `None` is never. Default: `None`.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("a").compress_above(16 * 1024).build()?;
    /// assert!(config.explain().contains("16KiB"));
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn compress_above(self, bytes: impl Into<Option<usize>>) -> Self {
        self.set("compress_above", bytes.into().map_or_else(|| "off".to_owned(), |bytes| bytes.to_string()))
    }

    /// The most bytes that a compressed message may have once inflated. Default: 8 MiB.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("a").inflate_max(1024 * 1024).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn inflate_max(self, bytes: usize) -> Self {
        self.set("inflate_max", bytes.to_string())
    }

    /// The version of the application, which messages carry in their metadata. Default: none.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("a").app_version("1.2.3").build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn app_version(self, version: impl Into<String>) -> Self {
        self.set("app_version", version)
    }
}
