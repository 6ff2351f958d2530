//! Messages that are stored all together or not at all (nats-server 2.12, ADR-50).

use uuid::Uuid;

use super::draft::Prepared;
use super::entry::{Entry, tell_topics_apart};
use super::layered_together::store_together_through;
use super::measured::failure;
use super::message::MessageBuilder;
use super::published::Published;
use super::publisher::Publisher;
use super::report::{BatchReport, PublishResult};
use crate::error::{Error, ErrorKind, Result};
use crate::message::Encode;
use crate::topology::Feature;
use crate::transport::{Outbound, Stored};

/// The most messages that the server stores in one step.
const MESSAGES_MAX: usize = 1_000;

/// A batch of which all messages are stored, or none; made by [`PublishBatch::atomic`](crate::PublishBatch::atomic).
///
/// Needs nats-server 2.12; at most 1,000 messages, all in the application's stream. The stream is allowed atomic batches
/// when the first one asks for it.
///
/// ```
/// # use natspubsub::prelude::*;
/// # async fn example(publisher: Publisher) -> natspubsub::Result {
/// let report =
///     publisher.batch().atomic().add("order.created", "ORD-1").add("stock.reserved", "ORD-1").publish().await?;
/// assert_eq!(report.succeeded, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is published before `.publish().await`"]
pub struct AtomicBatch {
    publisher: Publisher,
    entries: Vec<Entry>,
}

impl AtomicBatch {
    pub(super) fn new(publisher: Publisher, entries: Vec<Entry>) -> Self {
        Self { publisher, entries }
    }

    /// Adds a value under a topic.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.batch().atomic().add("user.created", "Ann").publish().await?;
    /// # Ok(())
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
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// let message = publisher.message("Ann").topic("user.created").event_id("user-created-1");
    /// publisher.batch().atomic().add_message(message).publish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn add_message<T: Encode + ?Sized>(&mut self, message: MessageBuilder<'_, T>) -> &mut Self {
        self.entries.push(Entry::of(message));
        self
    }

    /// Publishes all messages, or none. The batch is empty then.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.batch().atomic().add("user.created", "Ann").publish().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The first fault of a message, before anything is sent. [`ErrorKind::Rejected`] when the server is too old, when
    /// there are more than 1,000 messages, or when the server refuses one of them: none is stored.
    /// [`ErrorKind::Unknown`] when the answer did not come: all may be stored, or none; the server refuses a second try
    /// with the same event ids (10201) if they are.
    pub async fn publish(&mut self) -> Result<BatchReport> {
        let outlet = self.publisher.outlet().clone();
        let mut entries = std::mem::take(&mut self.entries);
        tell_topics_apart(&mut entries, &outlet.config.namespace);
        if entries.len() > MESSAGES_MAX {
            let text = format!("{} messages are more than an atomic batch holds ({MESSAGES_MAX})", entries.len());
            return Err(Error::new(ErrorKind::Rejected, text));
        }
        let began = outlet.clock.monotonic();
        if entries.is_empty() {
            return Ok(BatchReport::new(Vec::new(), std::time::Duration::ZERO));
        }
        let publisher = &self.publisher;
        let results = match publisher.layers() {
            Some(layers) => Box::pin(store_together_through(publisher, layers, entries)).await?,
            None => {
                let features: Vec<Feature> = features(&entries);
                let written: Vec<(String, Prepared)> =
                    entries.into_iter().map(Entry::into_message).collect::<Result<_>>()?;
                store_together(publisher, written, features).await?
            }
        };
        Ok(BatchReport::new(results, outlet.clock.monotonic().saturating_sub(began)))
    }
}

/// What the stream must allow for the messages.
pub(super) fn features(entries: &[Entry]) -> Vec<Feature> {
    entries.iter().flat_map(|entry| entry.features.iter().copied()).collect()
}

/// Stores all messages or none, and tells the listener.
pub(super) async fn store_together(
    publisher: &Publisher,
    written: Vec<(String, Prepared)>,
    features: Vec<Feature>,
) -> Result<Vec<PublishResult>> {
    let outlet = publisher.outlet();
    let (topics, mut prepared): (Vec<String>, Vec<Prepared>) = written.into_iter().unzip();
    let began = outlet.clock.monotonic();
    publisher.ensure(features.into_iter().chain([Feature::AtomicBatches])).await?;
    let id = Uuid::from_u64_pair(outlet.clock.random(), outlet.clock.random()).simple().to_string();
    let messages: Vec<Outbound> = prepared.iter().map(|prepared| prepared.outbound.clone()).collect();
    prepared.iter_mut().for_each(|message| publisher.measure(message));
    let stored = outlet.store_atomic(publisher.lane(), &id, messages).await;
    let duration = outlet.clock.monotonic().saturating_sub(began);
    let ended = stored.as_ref().err().map(failure);
    prepared.iter().for_each(|message| message.measured.end(ended, duration));
    let last = stored.inspect_err(|error| {
        outlet.doubt_features();
        for message in &prepared {
            message.span.failed(error.kind().name());
            publisher.tell(message.subject(), Err(error), duration);
        }
    })?;
    let results = results(topics, prepared, &last);
    for published in results.iter().filter_map(|result| result.result.as_ref().ok()) {
        publisher.tell(&published.subject, Ok(published), duration);
    }
    Ok(results)
}

/// The messages stand behind each other in the stream; the confirmation is the one of the last.
fn results(topics: Vec<String>, prepared: Vec<Prepared>, last: &Stored) -> Vec<PublishResult> {
    let first = (last.sequence + 1).saturating_sub(prepared.len() as u64);
    let result = |(sequence, (topic, prepared)): (u64, (String, Prepared))| {
        let (event_id, subject) = prepared.into_names();
        let (stream, duplicate) = (last.stream.clone(), last.duplicate);
        let published = Published { event_id: event_id.clone(), subject, stream, sequence, duplicate };
        PublishResult { topic, event_id, result: Ok(published) }
    };
    (first..).zip(topics.into_iter().zip(prepared)).map(result).collect()
}
