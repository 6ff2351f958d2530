//! Many messages on their way at once.

use super::atomic::AtomicBatch;
use super::entry::{Entry, tell_topics_apart};
use super::message::MessageBuilder;
use super::pipeline::store_all;
use super::publisher::Publisher;
use super::report::BatchReport;
use crate::message::Encode;

/// Messages that are gathered and published together, made by [`Publisher::batch`].
///
/// They are written in the order in which they were added, up to `publish_window` of them without a confirmation. One that
/// has to be sent again, because its confirmation did not come, may end up behind those that were added after it.
///
/// ```
/// # use natspubsub::prelude::*;
/// # async fn example(publisher: Publisher) {
/// let mut batch = publisher.batch();
/// for number in 0..1_000 {
///     batch.add("reading.taken", &number);
/// }
/// let report = batch.publish().await;
/// assert_eq!(report.succeeded, 1_000);
/// assert!(batch.is_empty(), "it can be filled anew");
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is published before `.publish().await`"]
pub struct PublishBatch {
    publisher: Publisher,
    entries: Vec<Entry>,
}

impl PublishBatch {
    pub(super) fn new(publisher: Publisher) -> Self {
        Self { publisher, entries: Vec::new() }
    }

    /// Adds a value under a topic. It is written at once; one that cannot be written is a failed result of the batch.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) {
    /// publisher.batch().add("user.created", "Ann").publish().await;
    /// # }
    /// ```
    pub fn add<T: Encode + ?Sized>(&mut self, topic: impl Into<String>, value: &T) -> &mut Self {
        let entry = Entry::of(self.publisher.message(value).topic(topic));
        self.entries.push(entry);
        self
    }

    /// Adds a message with an event id, metadata or headers of the caller's.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) {
    /// let message = publisher.message("Ann").topic("user.created").event_id("user-created-1");
    /// publisher.batch().add_message(message).publish().await;
    /// # }
    /// ```
    pub fn add_message<T: Encode + ?Sized>(&mut self, message: MessageBuilder<'_, T>) -> &mut Self {
        self.entries.push(Entry::of(message));
        self
    }

    /// How many messages are gathered.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # fn example(publisher: Publisher) {
    /// assert_eq!(publisher.batch().add("user.created", "Ann").len(), 1);
    /// # }
    /// ```
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # fn example(publisher: Publisher) {
    /// assert!(publisher.batch().is_empty());
    /// # }
    /// ```
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Drops what was gathered.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # fn example(publisher: Publisher) {
    /// assert!(publisher.batch().add("user.created", "Ann").clear().is_empty());
    /// # }
    /// ```
    pub fn clear(&mut self) -> &mut Self {
        self.entries.clear();
        self
    }

    /// Publishes what was gathered and waits until each message has its result. The batch is empty then.
    ///
    /// Dropping the future drops the messages that are not sent yet; of those that are, each may be stored.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) {
    /// let report = publisher.batch().add("user.created", "Ann").add("no such topic", "Bob").publish().await;
    /// assert_eq!((report.succeeded, report.failed), (1, 1));
    /// # }
    /// ```
    pub async fn publish(&mut self) -> BatchReport {
        let clock = &self.publisher.outlet().clock;
        let began = clock.monotonic();
        let mut entries = std::mem::take(&mut self.entries);
        tell_topics_apart(&mut entries, &self.publisher.outlet().config.namespace);
        let results = store_all(&self.publisher, entries, false).await;
        BatchReport::new(results, clock.monotonic().saturating_sub(began))
    }

    /// All messages or none: see [`AtomicBatch`].
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.batch().atomic().add("order.created", "ORD-1").add("stock.reserved", "ORD-1").publish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn atomic(&mut self) -> AtomicBatch {
        AtomicBatch::new(self.publisher.clone(), std::mem::take(&mut self.entries))
    }
}
