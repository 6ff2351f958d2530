//! Where a message was stored, and who is told.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;

/// Where a message was stored.
///
/// ```
/// use natspubsub::Published;
/// fn log(published: &Published) {
///     println!("{} is message {} of {}", published.event_id, published.sequence, published.stream);
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The event's id.
    pub event_id: String,
    /// The full subject.
    pub subject: String,
    /// The stream that stored the message.
    pub stream: String,
    /// The message's sequence number in the stream.
    pub sequence: u64,
    /// Whether the stream already had a message with this id inside its duplicate window; it was not stored again.
    pub duplicate: bool,
}

/// Is told of every publish: the subject, what became of it, how long it took.
type Callback = dyn Fn(&str, Result<&Published, &Error>, Duration) + Send + Sync;

/// A listener to publishes; cheap to clone.
#[derive(Clone)]
pub(crate) struct PublishListener(Arc<Callback>);

impl PublishListener {
    pub(crate) fn new(callback: impl Fn(&str, Result<&Published, &Error>, Duration) + Send + Sync + 'static) -> Self {
        Self(Arc::new(callback))
    }

    pub(super) fn tell(&self, subject: &str, result: Result<&Published, &Error>, latency: Duration) {
        let told = catch_unwind(AssertUnwindSafe(|| (self.0)(subject, result, latency)));
        if told.is_err() {
            tracing::error!(
                subject,
                "the listener of publishes panicked; what became of the message stands all the same"
            );
        }
    }
}

impl fmt::Debug for PublishListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublishListener")
    }
}
