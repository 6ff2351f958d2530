//! A built message is written into an outbox.

use std::sync::{Mutex, PoisonError};

use futures::future::BoxFuture;

use super::{InTransaction, Outbox, Queued};
use crate::clock::event_id;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Encode, headers};
use crate::publish::author::Author;
use crate::publish::draft::{Destination, Draft, Prepared};
use crate::publish::layers::{End, PublishLayers};
use crate::publish::message::MessageBuilder;
use crate::publish::outgoing::{Outgoing, Way};
use crate::publish::published::Published;
use crate::store::{OutboxMessage, SqlStore};
use crate::trace::SendSpan;

/// What takes a message that is built for an outbox; see [`Outbox::message`].
///
/// ```
/// # use natspubsub::prelude::*;
/// use natspubsub::{MessageBuilder, OutboxEntry};
/// use natspubsub::store::SqliteStore;
///
/// fn urgent(message: MessageBuilder<'_, str, OutboxEntry<SqliteStore>>) -> MessageBuilder<'_, str, OutboxEntry<SqliteStore>> {
///     message.header("x-urgent", "true")
/// }
/// ```
#[derive(Debug, Clone)]
pub struct OutboxEntry<S> {
    pub(super) outbox: Outbox<S>,
    pub(super) key: Option<String>,
}

impl<T: Encode + ?Sized, S: SqlStore> MessageBuilder<'_, T, OutboxEntry<S>> {
    /// The key: messages of one key are published in the order in which their transactions wrote them.
    ///
    /// The transactions that write one key must not run at once: in PostgreSQL, lock a row of the key first.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # use natspubsub::store::PostgresStore;
    /// # async fn example(tx: &mut sqlx::PgTransaction<'_>, outbox: Outbox<PostgresStore>) -> natspubsub::Result {
    /// outbox.message("ORD-1").topic("order.paid").key("ORD-1").publish(tx).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.by.key = Some(key.into());
        self
    }

    /// A raw subject instead of a topic: no environment and application before it.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # use natspubsub::store::PostgresStore;
    /// # async fn example(tx: &mut sqlx::PgTransaction<'_>, outbox: Outbox<PostgresStore>) -> natspubsub::Result {
    /// outbox.message("M-1").subject("match.found").publish(tx).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.draft.destination = Destination::Subject(subject.into().into());
        self
    }

    /// Writes the message into the outbox, in the caller's transaction.
    ///
    /// A `delay` begins when it is written, and the relay keeps it; the server needs no schedules for it.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # use natspubsub::store::PostgresStore;
    /// # async fn example(tx: &mut sqlx::PgTransaction<'_>, outbox: Outbox<PostgresStore>) -> natspubsub::Result {
    /// outbox.message("ORD-1").topic("order.created").event_id("order-created-1").publish(tx).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Outbox::publish`]; and [`ErrorKind::InvalidSubject`] and [`ErrorKind::InvalidHeader`] for a topic, a header or
    /// an event id that breaks the rules.
    pub async fn publish(self, tx: &mut (impl InTransaction<S::Database> + ?Sized)) -> Result<Queued> {
        self.check()?;
        if let Some(layers) = self.by.outbox.layers() {
            let outgoing = Outgoing::of(self.draft.clone(), self.value, Way::Outbox, &self.by.outbox.author())?;
            return through(layers, outgoing, &self.by, tx).await;
        }
        let written = self.by.written(self.draft.clone(), |draft, author| draft.prepare(author, self.value));
        let (message, span) = written?;
        let mut queued = self.by.outbox.write_traced(tx, vec![message], &[span]).await?;
        queued.pop().ok_or_else(|| Error::new(ErrorKind::Database, "the store has written nothing"))
    }

    /// Writes the message for several topics, as [`Outbox::publish_to`] does.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # use natspubsub::store::PostgresStore;
    /// # async fn example(tx: &mut sqlx::PgTransaction<'_>, outbox: Outbox<PostgresStore>) -> natspubsub::Result {
    /// outbox.message("Ann").event_id("user-created-1").publish_to(tx, ["notification.email", "audit.users"]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Outbox::publish`]; nothing is written then.
    pub async fn publish_to(
        self,
        tx: &mut (impl InTransaction<S::Database> + ?Sized),
        topics: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Vec<Queued>> {
        self.check()?;
        let clock = self.by.outbox.author().clock;
        let id = self.draft.event_id.clone().unwrap_or_else(|| event_id(clock, clock.now()));
        let drafts = topics.into_iter().map(|topic| {
            let destination = Destination::Topic(topic.into());
            Draft { destination, event_id: Some(id.clone()), is_one_of_many: true, ..self.draft.clone() }
        });
        if let Some(layers) = self.by.outbox.layers() {
            let drafts: Vec<Draft> = drafts.collect();
            let mut queued = Vec::new();
            for draft in drafts {
                let outgoing = Outgoing::of(draft, self.value, Way::Outbox, &self.by.outbox.author())?;
                queued.push(through(layers, outgoing, &self.by, tx).await?);
            }
            return Ok(queued);
        }
        let messages = drafts.map(|draft| self.by.written(draft, |draft, author| draft.prepare(author, self.value)));
        let (messages, spans): (Vec<_>, Vec<_>) = messages.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        self.by.outbox.write_traced(tx, messages, &spans).await
    }

    fn check(&self) -> Result<()> {
        if self.draft.expected_last_sequence.is_some() {
            let text =
                "expected_last_sequence has no meaning in an outbox: the message is published later, behind others";
            return Err(Error::new(ErrorKind::InvalidHeader, text));
        }
        Ok(())
    }
}

impl<S: SqlStore> OutboxEntry<S> {
    /// The message as the relay will send it. The outbox keeps its delay, so that the server need not.
    fn written(
        &self,
        mut draft: Draft,
        prepare: impl FnOnce(&Draft, &Author<'_>) -> Result<Prepared>,
    ) -> Result<(OutboxMessage, SendSpan)> {
        let delay = draft.delay.take().unwrap_or_default();
        let Prepared { event_id, outbound, span, .. } = prepare(&draft, &self.outbox.author())?;
        let message_id = outbound.headers.get(headers::MESSAGE_ID).unwrap_or(&event_id).to_owned();
        let message = OutboxMessage {
            event_id,
            message_id,
            subject: outbound.subject,
            key: self.key.clone(),
            headers: outbound.headers,
            body: outbound.body,
            delay,
        };
        Ok((message, span))
    }
}

/// The outbox, once a message has passed the middleware.
struct Write<'a, S, T: ?Sized> {
    entry: &'a OutboxEntry<S>,
    /// Taken by one message.
    tx: Mutex<Option<(&'a mut T, &'a mut Option<Queued>)>>,
}

impl<S: SqlStore, T: InTransaction<S::Database> + ?Sized> End for Write<'_, S, T> {
    fn publish(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Published>> {
        Box::pin(async move {
            let missing = || Error::new(ErrorKind::Database, "the store has written nothing");
            let (message, span) =
                self.entry.written(outgoing.draft.clone(), |draft, author| outgoing.prepare_as(draft, author))?;
            let taken = self.tx.lock().unwrap_or_else(PoisonError::into_inner).take();
            let (tx, slot) = taken.ok_or_else(missing)?;
            let queued = self.entry.outbox.write_traced(tx, vec![message], &[span]).await?.pop().ok_or_else(missing)?;
            let Queued { event_id, subject, duplicate } = queued.clone();
            *slot = Some(queued);
            Ok(Published { event_id, subject, stream: String::new(), sequence: 0, duplicate })
        })
    }
}

/// Writes one message through the middleware.
async fn through<S: SqlStore>(
    layers: &PublishLayers,
    outgoing: Outgoing,
    entry: &OutboxEntry<S>,
    tx: &mut (impl InTransaction<S::Database> + ?Sized),
) -> Result<Queued> {
    let (topic, mut queued) = (outgoing.topic().to_owned(), None);
    let passed = layers.publish(outgoing, &Write { entry, tx: Mutex::new(Some((tx, &mut queued))) }).await;
    passed?;
    queued.ok_or_else(|| {
        let text = format!("a middleware kept the message for {topic:?} back, and nothing is written");
        Error::new(ErrorKind::Rejected, text)
    })
}

impl<S: SqlStore> Outbox<S> {
    /// As [`Outbox::write`], while the spans of the messages last.
    async fn write_traced(
        &self,
        tx: &mut (impl InTransaction<S::Database> + ?Sized),
        messages: Vec<OutboxMessage>,
        spans: &[SendSpan],
    ) -> Result<Vec<Queued>> {
        let written = self.write(tx, messages).await;
        written.inspect_err(|error| spans.iter().for_each(|span| span.failed(error.kind().name())))
    }

    /// Writes messages in the caller's transaction, and tells the relays of this process that some may come.
    async fn write(
        &self,
        tx: &mut (impl InTransaction<S::Database> + ?Sized),
        messages: Vec<OutboxMessage>,
    ) -> Result<Vec<Queued>> {
        let connection = tx.connection();
        if !sqlx::Connection::is_in_transaction(connection) {
            let text = "the outbox was given a connection that is in no transaction: begin one with `pool.begin()`, write \
                        into it what belongs together, and commit it";
            return Err(Error::new(ErrorKind::Database, text));
        }
        let new = self.store.write_messages(connection, &messages).await?;
        if !tx.will_tell() {
            self.store.ring();
        }
        for (message, _) in messages.iter().zip(&new).filter(|(_, is_new)| !**is_new) {
            let written = self.store.written_subject(tx.connection(), &message.message_id).await?;
            refuse_other(message, written)?;
        }
        let queued = messages.into_iter().zip(new);
        Ok(queued
            .map(|(OutboxMessage { event_id, subject, .. }, is_new)| Queued { event_id, subject, duplicate: !is_new })
            .collect())
    }
}

/// A message that is there already need not be written again; what has its id and another subject would never be sent.
fn refuse_other(message: &OutboxMessage, written: Option<String>) -> Result<()> {
    let OutboxMessage { event_id, message_id, subject, .. } = message;
    match written {
        Some(written) if written != *subject => {
            let text = format!(
                "the outbox has a message with the id {message_id} for the subject {written}, and would not send this one to \
                 {subject}; write one event for several topics with `publish_to`, or give it another event id"
            );
            Err(Error::new(ErrorKind::Rejected, text))
        }
        _ => {
            tracing::warn!(event_id, subject, "the outbox has a message of this id already; nothing was written");
            Ok(())
        }
    }
}
