//! A raw subject of a buffered publisher: chunks of an answer, say, that are small, many, and in order.

use super::buffered::{BufferedPublisher, Message};
use super::subject::SubjectPublisher;
use crate::error::Result;
use crate::message::Encode;

/// A raw subject of a buffered publisher, made by [`BufferedPublisher::subject`].
///
/// Messages of one buffered publisher leave in the order in which they were added, those that are stored and those that are
/// not each for themselves. A batch is handed to the connection without a pause, so that it goes out in few writes, and the
/// producer waits for none of its messages.
///
/// ```
/// # use natspubsub::prelude::*;
/// # async fn example(publisher: Publisher) -> natspubsub::Result {
/// let buffered = publisher.buffered();
/// buffered.subject("chat.pod.pod-1.response").add_core("a chunk").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is added before `.add(..).await`"]
pub struct BufferedSubject<'a> {
    buffered: &'a BufferedPublisher,
    subject: SubjectPublisher<'a>,
}

impl<'a> BufferedSubject<'a> {
    pub(super) fn new(buffered: &'a BufferedPublisher, subject: SubjectPublisher<'a>) -> Self {
        Self { buffered, subject }
    }

    /// Whether JSON lies in an envelope, which is the default; see [`SubjectPublisher::envelope`].
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// let buffered = publisher.buffered();
    /// buffered.subject("chat.pod.pod-1.response").envelope(false).add_core("a chunk").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn envelope(self, is_enveloped: bool) -> Self {
        Self { subject: self.subject.envelope(is_enveloped), ..self }
    }

    /// Adds a value for the stream that takes the subject; waits while 100 messages wait already.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// let buffered = publisher.buffered();
    /// buffered.subject("match.found").add("rider 7").await?;
    /// assert_eq!(buffered.flush().await.succeeded, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`BufferedPublisher::add`].
    pub async fn add<T: Encode + ?Sized>(&self, value: &T) -> Result<()> {
        self.buffered.gather(Message::stored(self.subject.message(value))?).await
    }

    /// Adds a value for whoever listens when it leaves; waits while 100 messages wait already. Nothing is stored and
    /// nothing is confirmed: in the flush report it has succeeded when the connection has taken it.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// let buffered = publisher.buffered();
    /// buffered.subject("chat.pod.pod-1.response").add_core("a chunk").await?;
    /// assert_eq!(buffered.flush().await.failed, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`BufferedPublisher::add`].
    pub async fn add_core<T: Encode + ?Sized>(&self, value: &T) -> Result<()> {
        self.buffered.gather(Message::core(self.subject.message(value))?).await
    }
}
