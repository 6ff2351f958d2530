//! What became of messages that were published together.

use std::time::Duration;

use super::published::Published;
use crate::error::{Error, Result};

/// What became of one of several messages.
///
/// ```
/// # use natspubsub::prelude::*;
/// # async fn example(publisher: Publisher) {
/// let published = publisher.publish_to(["audit.user-created", "notification.email"], "Ann").await;
/// for message in published.results.iter().filter(|message| message.is_err()) {
///     eprintln!("{} to {}: {:?}", message.event_id, message.topic, message.result);
/// }
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct PublishResult {
    /// The topic or raw subject, as it was given.
    pub topic: String,
    /// The event's id; empty for a message of core NATS without an envelope, which has none.
    pub event_id: String,
    /// Where the message is stored, or why it is not.
    pub result: Result<Published>,
}

impl PublishResult {
    /// Whether the message is stored.
    ///
    /// ```
    /// fn stored(result: &natspubsub::PublishResult) -> bool {
    ///     result.is_ok()
    /// }
    /// ```
    pub fn is_ok(&self) -> bool {
        self.result.is_ok()
    }

    /// Whether the message is not certainly stored.
    ///
    /// ```
    /// fn failed(result: &natspubsub::PublishResult) -> bool {
    ///     result.is_err()
    /// }
    /// ```
    pub fn is_err(&self) -> bool {
        self.result.is_err()
    }

    /// Why the message is not certainly stored.
    ///
    /// ```
    /// fn tell(result: &natspubsub::PublishResult) {
    ///     if let Some(error) = result.error() {
    ///         eprintln!("{error}");
    ///     }
    /// }
    /// ```
    pub fn error(&self) -> Option<&Error> {
        self.result.as_ref().err()
    }
}

/// What became of one event that was published to several topics, in the order of the topics.
///
/// ```
/// # use natspubsub::prelude::*;
/// # async fn example(publisher: Publisher) {
/// let published = publisher.publish_to(["audit.user-created", "notification.email"], "Ann").await;
/// assert_eq!((published.succeeded, published.failed), (2, 0));
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct MultiPublished {
    /// How many messages are stored.
    pub succeeded: usize,
    /// How many are not certainly stored.
    pub failed: usize,
    /// One result for each topic.
    pub results: Vec<PublishResult>,
}

impl MultiPublished {
    pub(super) fn new(results: Vec<PublishResult>) -> Self {
        let (succeeded, failed) = count(&results);
        Self { succeeded, failed, results }
    }

    /// Whether every message is stored.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) {
    /// assert!(publisher.publish_to(["audit.user-created"], "Ann").await.is_ok());
    /// # }
    /// ```
    pub fn is_ok(&self) -> bool {
        self.failed == 0
    }
}

/// What became of the messages of a batch, in the order in which they were added.
///
/// ```
/// # use natspubsub::prelude::*;
/// # async fn example(publisher: Publisher) {
/// let report = publisher.batch().add("user.created", "Ann").add("user.created", "Bob").publish().await;
/// println!("{} stored, {} not, in {:?}", report.succeeded, report.failed, report.duration);
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct BatchReport {
    /// How many messages are stored.
    pub succeeded: usize,
    /// How many are not certainly stored.
    pub failed: usize,
    /// One result for each message.
    pub results: Vec<PublishResult>,
    /// From the first message to the last confirmation.
    pub duration: Duration,
}

impl BatchReport {
    pub(super) fn new(results: Vec<PublishResult>, duration: Duration) -> Self {
        let (succeeded, failed) = count(&results);
        Self { succeeded, failed, results, duration }
    }

    /// Whether every message is stored.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) {
    /// assert!(publisher.batch().add("user.created", "Ann").publish().await.is_ok());
    /// # }
    /// ```
    pub fn is_ok(&self) -> bool {
        self.failed == 0
    }
}

fn count(results: &[PublishResult]) -> (usize, usize) {
    let succeeded = results.iter().filter(|result| result.is_ok()).count();
    (succeeded, results.len() - succeeded)
}
