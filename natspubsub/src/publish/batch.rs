//! Many messages on their way at once.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;

use super::atomic::AtomicBatch;
use super::draft::Prepared;
use super::feature::Feature;
use super::message::MessageBuilder;
use super::publisher::Publisher;
use super::report::{BatchReport, PublishResult};
use crate::error::{Error, ErrorKind};
use crate::message::{Encode, headers};
use crate::subject::Namespace;

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

/// A message of several, written or at fault.
#[derive(Debug)]
pub(super) struct Entry {
    topic: String,
    event_id: String,
    message: Result<Prepared, Error>,
    features: Vec<Feature>,
}

impl Entry {
    /// Writes a message at once: its value is borrowed no longer than that.
    pub(super) fn of<T: Encode + ?Sized>(message: &MessageBuilder<'_, T>) -> Self {
        let prepared = message.prepare();
        let event_id = match &prepared {
            Ok(prepared) => prepared.event_id.clone(),
            Err(_) => message.draft.event_id.clone().unwrap_or_default(),
        };
        Self {
            topic: message.draft.name().to_owned(),
            event_id,
            message: prepared,
            features: message.features().collect(),
        }
    }

    /// The message, unless it is at fault.
    pub(super) fn checked(self) -> Result<Self, Error> {
        let Self { topic, event_id, message, features } = self;
        Ok(Self { topic, event_id, message: Ok(message?), features })
    }

    /// The message, with what its stream must allow for it.
    pub(super) fn into_message(self) -> Result<(Prepared, Vec<Feature>), Error> {
        Ok((self.message?, self.features))
    }

    /// `down` is set by the first message that waited for a connection in vain: those behind it do not wait once more.
    async fn store(self, publisher: &Publisher, is_accepted: bool, down: &AtomicBool) -> PublishResult {
        let Self { topic, event_id, message, features } = self;
        let outlet = publisher.outlet();
        let store = async {
            let prepared = message?;
            if down.load(Ordering::Relaxed) && !outlet.transport.is_connected() {
                let text = format!("no connection; the message for {} is not stored", prepared.subject);
                return Err(Error::new(ErrorKind::Connect, text));
            }
            publisher.ensure(features.iter().copied()).await?;
            publisher.store_noting(prepared, is_accepted).await
        };
        let result = store.await;
        match result.as_ref().map_err(Error::kind) {
            Err(ErrorKind::Connect) => down.store(true, Ordering::Relaxed),
            Err(_) if !features.is_empty() => outlet.doubt_features(),
            _ => {}
        }
        PublishResult { topic, event_id, result }
    }

    /// What the stream would know the message by, unless its id names its topic already.
    fn id_of_event(&self) -> Option<(&str, &str)> {
        let prepared = self.message.as_ref().ok()?;
        let is_plain = prepared.outbound.headers.get(headers::MESSAGE_ID) == Some(&self.event_id);
        is_plain.then_some((self.event_id.as_str(), prepared.subject.as_str()))
    }

    /// Names the topic in the message id too.
    fn tell_apart(&mut self, namespace: &Namespace) {
        let Ok(prepared) = &mut self.message else { return };
        let written = &mut prepared.outbound.headers;
        written.remove(headers::MESSAGE_ID);
        written.push_own(headers::MESSAGE_ID, format!("{}:{}", self.event_id, namespace.topic(&prepared.subject)));
        // Without an envelope, nothing else says the id of the event.
        if written.get(headers::CONTENT_TYPE).is_some() && written.get(headers::bare::EVENT_ID).is_none() {
            written.push_own(headers::bare::EVENT_ID, self.event_id.as_str());
        }
    }
}

/// One event under one id for several topics: a stream that takes them would keep the first and drop the others.
pub(super) fn tell_topics_apart(entries: &mut [Entry], namespace: &Namespace) {
    let mut topics: HashMap<&str, &str> = HashMap::new();
    let mut shared: HashSet<String> = HashSet::new();
    for (id, subject) in entries.iter().filter_map(Entry::id_of_event) {
        if *topics.entry(id).or_insert(subject) != subject {
            shared.insert(id.to_owned());
        }
    }
    if shared.is_empty() {
        return;
    }
    for entry in entries.iter_mut().filter(|entry| shared.contains(&entry.event_id)) {
        if entry.id_of_event().is_some() {
            entry.tell_apart(namespace);
        }
    }
}

/// Publishes messages, as many at once as the window allows; the results in the order of the messages.
/// `are_accepted`: the application knows that it has to wait for them.
pub(super) async fn store_all(publisher: &Publisher, entries: Vec<Entry>, are_accepted: bool) -> Vec<PublishResult> {
    // Before the first: one that had to wait for this would be overtaken. What fails, fails again for its own message.
    let features: BTreeSet<Feature> = entries.iter().flat_map(|entry| entry.features.iter().copied()).collect();
    let _ = publisher.ensure(features.into_iter()).await;
    let window = publisher.outlet().config.publish_window as usize;
    let down = AtomicBool::new(false);
    let stores = entries.into_iter().map(|entry| entry.store(publisher, are_accepted, &down));
    futures::stream::iter(stores).buffered(window).collect().await
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
        let entry = Entry::of(&self.publisher.message(value).topic(topic));
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
        self.entries.push(Entry::of(&message));
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
