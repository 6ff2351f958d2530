//! Dead letters run again: `publisher.dead_letters().replay(7)`.

use std::sync::Arc;

use bytes::Bytes;

use super::measured::failure;
use super::outlet::Outlet;
use super::published::Published;
use crate::error::{Error, ErrorKind, Result};
use crate::message::Headers;
use crate::message::headers::{MESSAGE_ID, dead_letter, replay};
use crate::trace::{Act, SendSpan};
use crate::transport::{Outbound, Received, Stored};

/// The dead letters of the application, to run them again once their cause is mended.
///
/// ```
/// # use natspubsub::prelude::*;
/// # async fn example(publisher: Publisher) -> natspubsub::Result {
/// let count = publisher.dead_letters().replay_all().await?;
/// println!("{count} message(s) run again");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct DeadLetters {
    outlet: Arc<Outlet>,
}

impl DeadLetters {
    pub(super) fn new(outlet: Arc<Outlet>) -> Self {
        Self { outlet }
    }

    /// Publishes the message of a dead letter again under its original subject and event id, then deletes the letter.
    ///
    /// `sequence` is the number of the letter in the stream `{env}-{app}-dlq`; in a `#[dead_letter_handler]` it is
    /// [`Context::sequence`](crate::Context::sequence). Only the subscriber that gave the message up runs it again: others, of natspubsub, pass
    /// over it. Attempts are counted anew. Should the program end between the two steps, a second replay inside the
    /// duplicate window of the stream stores nothing twice.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// let published = publisher.dead_letters().replay(7).await?;
    /// println!("{} runs again as message {}", published.event_id, published.sequence);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such letter, for instance because it was replayed before, or when its
    /// body did not fit into the letter and the original is gone, or when the consumer that gave it up does not exist any
    /// more: nobody would run it. Else as [`Publisher::publish`](crate::Publisher::publish).
    pub async fn replay(&self, sequence: u64) -> Result<Published> {
        let stream = self.outlet.config.namespace.dead_letter_stream();
        let letter = self.outlet.transport.stored(&stream, sequence).await?;
        let letter = letter
            .ok_or_else(|| not_found(format!("{stream:?} has no message {sequence}; was it replayed before?")))?;
        let (event_id, outbound) = self.original(&stream, letter).await?;
        self.outlet.check_size(&outbound)?;
        let author = self.outlet.author();
        let span = SendSpan::begin(Act::Replay, &outbound.subject, &*event_id, &author.origin());
        // The message goes on in its own trace.
        span.link(&outbound.headers);
        span.sized(outbound.body.len());
        let (measured, began) =
            (self.outlet.metrics.begin(&outbound.subject, outbound.size()), self.outlet.clock.monotonic());
        let stored = self.outlet.store(0, &outbound).await;
        measured.end(stored.as_ref().err().map(failure), self.outlet.clock.monotonic().saturating_sub(began));
        let stored = stored.inspect_err(|error| span.failed(error.kind().name()))?;
        drop(span);
        let Stored { stream: stored_in, sequence: stored_as, duplicate } = stored;
        self.outlet.transport.delete_message(&stream, sequence).await?;
        tracing::info!(
            letter = sequence,
            subject = outbound.subject,
            event_id,
            sequence = stored_as,
            "dead letter replayed"
        );
        Ok(Published { event_id, subject: outbound.subject, stream: stored_in, sequence: stored_as, duplicate })
    }

    /// Replays every dead letter that there is now, the oldest first; how many they were.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// publisher.dead_letters().replay_all().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`DeadLetters::replay`], at the first letter that cannot be replayed; those before it are.
    pub async fn replay_all(&self) -> Result<u64> {
        let stream = self.outlet.config.namespace.dead_letter_stream();
        // Listed first: what fails again meanwhile must not run in circles.
        let mut letters = Vec::new();
        let mut after = 0;
        while let Some(letter) = self.outlet.transport.stored_after(&stream, after).await? {
            after = letter.sequence;
            letters.push(after);
        }
        for letter in &letters {
            self.replay(*letter).await?;
        }
        Ok(letters.len() as u64)
    }

    /// The message that a letter is about, as it is published again.
    async fn original(&self, stream: &str, letter: Received) -> Result<(String, Outbound)> {
        let header = |name: &str| letter.headers.get(name).unwrap_or_default().to_owned();
        let (subject, event_id) = (header(dead_letter::ORIGINAL_SUBJECT), header(dead_letter::EVENT_ID));
        if subject.is_empty() {
            let text = format!("message {} of {stream:?} is no dead letter of natspubsub", letter.sequence);
            return Err(Error::new(ErrorKind::Rejected, text));
        }
        let (of, consumer) = (header(dead_letter::ORIGINAL_STREAM), header(dead_letter::CONSUMER));
        if self.outlet.transport.consumer(&of, &consumer).await?.is_none() {
            return Err(not_found(format!(
                "the consumer {consumer:?} of stream {of:?}, which gave message {} of {stream:?} up, does not exist any more",
                letter.sequence
            )));
        }
        let count = header(replay::COUNT).parse().unwrap_or(0_u64) + 1;
        let mut headers: Headers = letter
            .headers
            .iter()
            .filter(|(name, _)| {
                !name.eq_ignore_ascii_case(MESSAGE_ID) && !dead_letter::is_story(name) && !replay::is_replay(name)
            })
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        headers.push(MESSAGE_ID, format!("replay:{count}:{}", header(MESSAGE_ID)));
        headers.push(replay::COUNT, count.to_string());
        headers.push(replay::CONSUMER, header(dead_letter::CONSUMER));
        headers.push(replay::EVENT_ID, event_id.as_str());
        let body = match letter.headers.get(dead_letter::BODY_OMITTED) {
            None => letter.body.clone(),
            Some(_) => self.omitted_body(&letter).await?,
        };
        Ok((event_id, Outbound { subject, headers, body }))
    }

    /// The body that did not fit into the letter.
    async fn omitted_body(&self, letter: &Received) -> Result<Bytes> {
        let header = |name: &str| letter.headers.get(name).unwrap_or_default();
        let (stream, sequence) = (header(dead_letter::ORIGINAL_STREAM), header(dead_letter::ORIGINAL_SEQUENCE));
        let stored = match sequence.parse() {
            Ok(sequence) => self.outlet.transport.stored(stream, sequence).await?,
            Err(_) => None,
        };
        stored.map(|stored| stored.body).ok_or_else(|| {
            not_found(format!(
                "the body did not fit into the dead letter, and message {sequence} of {stream:?} is gone"
            ))
        })
    }
}

fn not_found(text: String) -> Error {
    Error::new(ErrorKind::NotFound, text)
}
