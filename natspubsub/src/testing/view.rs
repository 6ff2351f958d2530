//! What a test sees of an application from outside.

use std::sync::Arc;
use std::time::Duration;

use natspubsub_grammar::Pattern;

use super::bell::Bell;
use super::context::context;
use super::delivery::made;
use super::journal::Journal;
use super::recorder::{Record, Records};
use crate::app::RunningApp;
use crate::clock::SharedClock;
use crate::handler::{DeadLetter, DeadLetterPayload, Delivery, Payload, Services};
use crate::message::{EnvelopeIn, INFLATE_MAX};
use crate::subject::Namespace;
use crate::transport::{Outbound, SharedTransport, Stored};

/// How often a look is taken at least; most changes ring.
const LOOK: Duration = Duration::from_secs(10);

/// How often nothing must have happened before nothing more happens at this instant, and how often at most that is looked
/// at.
const SILENT_YIELDS: u32 = 64;
const YIELDS_MAX: u32 = 1_000_000;

/// How much may happen at one instant.
const AT_ONCE_MAX: u32 = 1_000_000;

/// Counts what happens while no time passes.
#[derive(Default)]
struct Instant {
    at: Duration,
    count: u32,
}

impl Instant {
    fn never_ends(&mut self, now: Duration) -> bool {
        let count = if self.at == now { self.count + 1 } else { 0 };
        *self = Self { at: now, count };
        count > AT_ONCE_MAX
    }
}

/// What a test sees of an application: the attempts of its handlers, what is stored, what waits.
#[derive(Clone)]
pub(super) struct View {
    pub(super) journal: Journal,
    pub(super) records: Arc<Records>,
    pub(super) bell: Arc<Bell>,
    pub(super) clock: SharedClock,
    pub(super) namespace: Namespace,
    /// A connection of its own.
    pub(super) broker: SharedTransport,
    /// How long everything must be quiet before it counts as settled.
    pub(super) quiet: Duration,
    /// The longest pause between two looks.
    pub(super) look: Duration,
}

impl View {
    pub(super) fn new(
        broker: SharedTransport,
        journal: Journal,
        records: Arc<Records>,
        clock: SharedClock,
        namespace: Namespace,
    ) -> Self {
        let bell = records.bell.clone();
        Self { journal, records, bell, clock, namespace, broker, quiet: Duration::from_millis(1), look: LOOK }
    }

    /// Waits until a time, and reads what the broker has stored by then.
    pub(super) async fn until(&self, end: Duration) {
        self.clock.sleep(end.saturating_sub(self.clock.monotonic())).await;
        self.calm().await;
        self.catch_up().await;
    }

    /// Lets run what can run now, because its time has come too.
    async fn calm(&self) {
        let (mut silent, mut rings) = (0, self.bell.rings());
        for _ in 0..YIELDS_MAX {
            if silent == SILENT_YIELDS {
                return;
            }
            tokio::task::yield_now().await;
            silent = if self.bell.rings() == rings { silent + 1 } else { 0 };
            rings = self.bell.rings();
        }
    }

    /// Waits until nothing waits for a handler and nothing is in hand; else what still does at the time `end`.
    pub(super) async fn settled(&self, running: &RunningApp, end: Duration) -> Result<(), Vec<String>> {
        let mut instant = Instant::default();
        loop {
            let seen = self.bell.rings();
            let mut open = self.open(running).await;
            let now = self.clock.monotonic();
            let left = end.saturating_sub(now);
            if open.is_empty() && !left.is_zero() {
                self.clock.sleep(self.quiet).await;
                open = self.open(running).await;
                if open.is_empty() && self.bell.rings() == seen {
                    self.catch_up().await;
                    return Ok(());
                }
            } else if left.is_zero() {
                if open.is_empty() {
                    open.push("messages go on being published".to_owned());
                }
                return Err(open);
            } else if instant.never_ends(now) {
                open.push("messages cause each other without end, and no time passes".to_owned());
                return Err(open);
            } else {
                futures::future::select(Box::pin(self.bell.after(seen)), self.clock.sleep(left.min(self.look))).await;
            }
        }
    }

    /// What is not settled, one sentence for each consumer, and one for what is delayed.
    async fn open(&self, running: &RunningApp) -> Vec<String> {
        let mut open = self.unanswered(running).await;
        let publishing = running.publisher().under_way();
        if publishing > 0 {
            open.push(format!("{publishing} message(s) are being published"));
        }
        let unsent = running.in_outboxes().await;
        if unsent > 0 {
            open.push(format!("{unsent} message(s) in the outbox are not sent"));
        }
        open.extend(running.in_hand().iter().map(|(name, count)| format!("{name} has {count} message(s) in hand")));
        if open.is_empty() {
            let (stream, delayed) = (self.namespace.stream(), self.namespace.schedule_subjects());
            let count = self.broker.count_subjects(&stream, &delayed).await.unwrap_or(0);
            open.extend((count > 0).then(|| format!("{count} delayed message(s) wait for their time")));
        }
        open
    }

    async fn unanswered(&self, running: &RunningApp) -> Vec<String> {
        let mut open = Vec::new();
        for (stream, consumer) in running.consumers() {
            let state = self.broker.consumer_state(&stream, &consumer).await.ok().flatten();
            let progress = self.broker.progress(&stream, &consumer).await.ok().flatten();
            let (Some(state), Some(progress)) = (state, progress) else {
                open.push(format!("the consumer {consumer} of {stream} is not there"));
                continue;
            };
            if state.unanswered > 0 || progress.backlog > 0 {
                let (in_hand, waiting) = (state.unanswered, progress.backlog);
                open.push(format!(
                    "{consumer} of {stream}: {in_hand} delivered and not answered, {waiting} not delivered"
                ));
            }
        }
        open
    }

    /// Reads what the broker stored by itself, such as delayed messages whose time has come.
    pub(super) async fn catch_up(&self) {
        for stream in self.records.streams() {
            let mut last = self.records.read_up_to(&stream);
            while let Ok(Some(received)) = self.broker.stored_after(&stream, last).await {
                last = received.sequence;
                let stored = Stored { stream: stream.clone(), sequence: last, duplicate: false };
                let message = Outbound { subject: received.subject, headers: received.headers, body: received.body };
                self.records.note(&message, &stored);
            }
            self.records.set_read_up_to(&stream, last);
        }
    }

    /// The bodies of what is stored under a topic or a raw subject, wildcards included.
    pub(super) fn published<T: Payload>(&self, topic: &str) -> Result<Vec<T>, String> {
        let pattern = Pattern::subject(topic).map_err(|fault| fault.to_string())?;
        let delayed = Pattern::subject(&self.namespace.schedule_subjects()).map_err(|fault| fault.to_string())?;
        let is_meant = |record: &Record| {
            let subject = &record.message.subject;
            // It waits there, and is published when its time has come.
            if delayed.matches(subject) {
                return false;
            }
            // What the framework keeps for itself is seen by who names it.
            let is_hidden = subject.starts_with('$') && !topic.starts_with('$');
            !is_hidden && (pattern.matches(self.namespace.topic(subject)) || pattern.matches(subject))
        };
        let records = self.records.all();
        let meant = records.iter().filter(|record| is_meant(record));
        meant
            .map(|record| {
                let delivery = self.delivery(record, true)?;
                T::from_body(&delivery).map_err(|failure| {
                    let (subject, sequence) = (&record.message.subject, record.stored.sequence);
                    format!("message {sequence} on {subject}: {}", failure.describe())
                })
            })
            .collect()
    }

    /// The dead letters of the application, in the order in which they were stored.
    pub(super) fn dead_letters(&self) -> Vec<DeadLetter> {
        let stream = self.namespace.dead_letter_stream();
        let records = self.records.all();
        let letters = records.iter().filter(|record| record.stored.stream == stream);
        letters.filter_map(|record| DeadLetter::from_letter(&self.delivery(record, false).ok()?).ok()).collect()
    }

    /// A stored message as a handler would receive it.
    fn delivery(&self, record: &Record, opened: bool) -> Result<Delivery, String> {
        let Record { message, stored } = record;
        let envelope = match opened {
            true => EnvelopeIn::read(&message.body, &message.headers, INFLATE_MAX)
                .or_else(|_| EnvelopeIn::read_plain(&message.body, &message.headers, INFLATE_MAX))
                .map_err(|fault| format!("message {} on {}: {fault}", stored.sequence, message.subject))?,
            false => EnvelopeIn { body: message.body.clone(), ..EnvelopeIn::default() },
        };
        let context = context()
            .event_id(envelope.event_id.unwrap_or_default())
            .stream(&stored.stream)
            .sequence(stored.sequence)
            .stored_at(self.clock.now())
            .headers(message.headers.clone())
            .read(envelope.occurred_at, envelope.trace_id, envelope.metadata)
            .within(&self.namespace, message.subject.clone());
        Ok(made(context, envelope.body, Services::default()))
    }
}
