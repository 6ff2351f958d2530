//! A stream of messages, gathered by count and by time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::buffered_subject::BufferedSubject;
use super::draft::Prepared;
use super::entry::Entry;
use super::message::MessageBuilder;
use super::outgoing::{Outgoing, Way};
use super::pipeline::store_all;
use super::publisher::Publisher;
use super::report::PublishResult;
use crate::error::{Error, ErrorKind, Result};
use crate::message::Encode;

/// As many messages go together.
const MESSAGES: usize = 100;

/// The longest time that the first of them waits for the others.
const WAIT: Duration = Duration::from_millis(50);

/// The most failures that a report tells one by one.
const FAILURES_MAX: usize = 100;

/// A publisher that gathers messages and sends them when there are 100, or 50 ms after the first; made by
/// [`Publisher::buffered`].
///
/// For streams of small messages whose producer does not want to wait for each. When the server falls behind, [`add`]
/// waits. What was added is published even when the last clone is dropped, as long as the runtime runs;
/// [`flush`](BufferedPublisher::flush) says what became of it, and so does [`Publisher::on_publish`].
///
/// [`add`]: BufferedPublisher::add
///
/// ```
/// # use natspubsub::prelude::*;
/// # async fn example(publisher: Publisher) -> natspubsub::Result {
/// let buffered = publisher.buffered();
/// for reading in 0..10_000 {
///     buffered.add("reading.taken", &reading).await?;
/// }
/// let report = buffered.flush().await;
/// assert_eq!((report.succeeded, report.failed), (10_000, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct BufferedPublisher {
    publisher: Publisher,
    to_gatherer: mpsc::Sender<Order>,
    /// Messages without a result.
    waiting: Arc<AtomicU64>,
}

/// What became of the messages since the flush before.
///
/// ```
/// # use natspubsub::prelude::*;
/// # async fn example(publisher: Publisher) {
/// let report = publisher.buffered().flush().await;
/// assert_eq!((report.succeeded, report.failed, report.failures.len()), (0, 0, 0));
/// # }
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct FlushReport {
    /// How many messages are stored, or handed over if nobody stores them.
    pub succeeded: u64,
    /// How many are not certainly so.
    pub failed: u64,
    /// The first 100 of those.
    pub failures: Vec<PublishResult>,
}

impl FlushReport {
    fn add(&mut self, results: Vec<PublishResult>) {
        for result in results {
            let Some(error) = result.error() else {
                self.succeeded += 1;
                continue;
            };
            tracing::error!(topic = result.topic, event_id = result.event_id, %error, "a buffered message is not certainly published");
            self.failed += 1;
            if self.failures.len() < FAILURES_MAX {
                self.failures.push(result);
            }
        }
    }
}

/// A message that waits for others.
pub(super) enum Message {
    /// For a stream.
    Stored(Entry),
    /// For whoever listens now, and as middleware sees it where there is any.
    Core(Prepared, Option<Box<Outgoing>>),
}

impl Message {
    pub(super) fn stored<T: Encode + ?Sized>(message: MessageBuilder<'_, T>) -> Result<Self> {
        Ok(Self::Stored(Entry::of(message).checked()?))
    }

    pub(super) fn core<T: Encode + ?Sized>(message: MessageBuilder<'_, T>) -> Result<Self> {
        let outgoing = message.by.layers().map(|_| message.outgoing(Way::Core)).transpose()?;
        Ok(Self::Core(message.draft.prepare_core(&message.by.author(), message.value)?, outgoing.map(Box::new)))
    }
}

enum Order {
    /// With the word that the application waits for it when it ends.
    Publish(Box<Message>, TaskTrackerToken),
    Flush(oneshot::Sender<FlushReport>),
}

impl BufferedPublisher {
    pub(super) fn new(publisher: Publisher) -> Self {
        let (to_gatherer, orders) = mpsc::channel(MESSAGES);
        let waiting: Arc<AtomicU64> = Arc::default();
        let report = FlushReport::default();
        let gatherer = Gatherer { publisher: publisher.clone(), orders, report, waiting: waiting.clone() };
        tokio::spawn(gatherer.run());
        Self { publisher, to_gatherer, waiting }
    }

    /// Adds a value under a topic; waits while 100 messages wait already.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// let buffered = publisher.buffered();
    /// buffered.add("reading.taken", &7).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`], [`ErrorKind::Encode`] and [`ErrorKind::PayloadTooLarge`] at once, and
    /// [`ErrorKind::ShuttingDown`]; nothing was added. What the server says comes with the flush.
    pub async fn add<T: Encode + ?Sized>(&self, topic: impl Into<String>, value: &T) -> Result<()> {
        self.gather(Message::stored(self.publisher.message(value).topic(topic))?).await
    }

    /// A raw subject, to add messages for it: stored ones, or for whoever listens now.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// let buffered = publisher.buffered();
    /// let answer = buffered.subject("chat.pod.pod-1.response").envelope(false);
    /// for chunk in ["Once", "upon", "a", "time"] {
    ///     answer.add_core(chunk).await?;
    /// }
    /// assert_eq!(buffered.flush().await.failed, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn subject(&self, subject: impl Into<String>) -> BufferedSubject<'_> {
        BufferedSubject::new(self, self.publisher.subject(subject))
    }

    /// Adds a written message.
    pub(super) async fn gather(&self, message: Message) -> Result<()> {
        let token = self.publisher.outlet().accept()?;
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.to_gatherer.send(Order::Publish(Box::new(message), token)).await.map_err(|_| {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            Error::new(ErrorKind::ShuttingDown, "the runtime of the buffered publisher has ended; nothing was added")
        })
    }

    /// Publishes what was added and waits until each message has its result.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) {
    /// let buffered = publisher.buffered();
    /// assert_eq!(buffered.flush().await.failed, 0);
    /// # }
    /// ```
    pub async fn flush(&self) -> FlushReport {
        let (sender, report) = oneshot::channel();
        let _ = self.to_gatherer.send(Order::Flush(sender)).await;
        // Without the task that gathers, what waited is not certainly stored.
        let lost = |_| FlushReport { failed: self.waiting.swap(0, Ordering::Relaxed), ..FlushReport::default() };
        report.await.unwrap_or_else(lost)
    }
}

/// Gathers messages; ends with the last sender.
struct Gatherer {
    publisher: Publisher,
    orders: mpsc::Receiver<Order>,
    report: FlushReport,
    waiting: Arc<AtomicU64>,
}

impl Gatherer {
    async fn run(mut self) {
        while let Some(order) = self.orders.recv().await {
            match order {
                Order::Flush(reply) => drop(reply.send(std::mem::take(&mut self.report))),
                Order::Publish(message, token) => self.gather(*message, token).await,
            }
        }
    }

    /// The first message of a batch, and those that come soon enough.
    async fn gather(&mut self, first: Message, token: TaskTrackerToken) {
        let (mut messages, mut tokens, mut flush) = (vec![first], vec![token], None);
        let clock = self.publisher.outlet().clock.clone();
        let mut wait = clock.sleep(WAIT);
        while messages.len() < MESSAGES && flush.is_none() {
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(Order::Publish(message, token)) => {
                        messages.push(*message);
                        tokens.push(token);
                    }
                    Some(Order::Flush(reply)) => flush = Some(reply),
                    None => break,
                },
                () = &mut wait => break,
            }
        }
        let count = messages.len() as u64;
        self.publish(messages).await;
        self.waiting.fetch_sub(count, Ordering::Relaxed);
        drop(tokens);
        if let Some(reply) = flush {
            let _ = reply.send(std::mem::take(&mut self.report));
        }
    }
    /// Publishes a batch: what nobody stores first, because it waits for nothing. Those of a kind keep their order.
    async fn publish(&mut self, messages: Vec<Message>) {
        let mut entries = Vec::new();
        for message in messages {
            let (prepared, outgoing) = match message {
                Message::Stored(entry) => {
                    entries.push(entry);
                    continue;
                }
                Message::Core(prepared, outgoing) => (prepared, outgoing),
            };
            let (topic, event_id) = (prepared.subject().to_owned(), prepared.event_id.clone());
            let handed_over = match (self.publisher.layers(), outgoing) {
                (Some(layers), Some(outgoing)) => self.publisher.send_core_through(layers, *outgoing).await,
                _ => self.publisher.hand_over_core(prepared).await,
            };
            match handed_over {
                Ok(()) => self.report.succeeded += 1,
                Err(error) => self.report.add(vec![PublishResult { topic, event_id, result: Err(error) }]),
            }
        }
        if !entries.is_empty() {
            let results = store_all(&self.publisher, entries, true).await;
            self.report.add(results);
        }
    }
}
