//! What a start does about streams and consumers.

/// What a start does about the streams and consumers that the application declares.
///
/// ```
/// use natspubsub::{Config, Manage};
/// let config = Config::builder().url("memory:").app("orders").manage(Manage::Verify).build()?;
/// assert!(config.explain().contains("verify"));
/// # Ok::<(), natspubsub::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manage {
    /// Creates what is missing and updates what differs. The default.
    Apply,
    /// Changes nothing, and starts only when nothing would be changed; the error is the printed plan.
    Verify,
    /// Neither reads nor changes them: the consumers must exist.
    Off,
}

/// What the setting `manage` can be.
pub(super) const ALL: [Manage; 3] = [Manage::Apply, Manage::Verify, Manage::Off];

/// As the setting writes it.
pub(crate) fn manage_name(manage: Manage) -> &'static str {
    match manage {
        Manage::Apply => "apply",
        Manage::Verify => "verify",
        Manage::Off => "off",
    }
}
