//! Values set in code for those who watch the application.

use super::ConfigBuilder;

impl ConfigBuilder {
    /// Where the admin server listens, an IP address with a port; port 0 is a free one. Default: there is none.
    ///
    /// It needs the feature `admin`, and has no login: whoever reaches the address can read it.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("orders").admin("127.0.0.1:9090").build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn admin(self, address: impl Into<String>) -> Self {
        self.set("admin", address)
    }

    /// More messages than this that wait at one consumer degrade health. Default: 100,000.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("memory:").app("orders").health_backlog(5_000).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn health_backlog(self, messages: u32) -> Self {
        self.set("health_backlog", messages.to_string())
    }
}
