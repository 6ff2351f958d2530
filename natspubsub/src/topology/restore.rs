//! How far a consumer is, and making it again when it vanishes under a running application.

use jiff::Timestamp;

use super::generation::newest;
use super::owner::owned;
use super::plan::SubscriberPlan;
use super::resume::resumed;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{AssetConfig, Progress, Transport, config_text};

/// How far a consumer was when it was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// Another stream of the same name counts its messages from 1 again.
    pub(crate) stream_made_at: Timestamp,
    /// Every message up to this one was answered.
    pub(crate) answered: u64,
}

/// How far the consumer of a subscriber is, with what waits at it; `None` when it does not exist.
pub(crate) async fn position(
    stream: &str,
    consumer: &str,
    transport: &dyn Transport,
) -> Result<Option<(Position, Progress)>> {
    let (made_at, progress) = (transport.stream_made_at(stream).await?, transport.progress(stream, consumer).await?);
    let position = |(stream_made_at, progress): (Timestamp, Progress)| {
        (Position { stream_made_at, answered: progress.answered }, progress)
    };
    Ok(made_at.zip(progress).map(position))
}

/// A consumer that is there again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Restored {
    pub(crate) stream_made_at: Timestamp,
    /// Whether it was made just now: it delivers everything that is not answered.
    pub(crate) is_new: bool,
}

/// What an application makes again that vanishes under it.
#[derive(Debug, Clone)]
pub(crate) struct Restorer {
    /// The owner of what is made.
    pub(crate) app: String,
    /// Whether anything may be made at all.
    pub(crate) may_create: bool,
    /// The streams of the application.
    pub(crate) streams: Vec<AssetConfig>,
}

impl Restorer {
    /// Makes a stream and a consumer again that an application used when they vanished.
    ///
    /// The consumer goes on behind what was answered: by its deliver policy it would
    /// run everything a second time, or, with `deliver = "new"`, miss what came meanwhile.
    pub(crate) async fn restore(
        &self,
        subscriber: &SubscriberPlan,
        position: Option<Position>,
        transport: &dyn Transport,
    ) -> Result<Restored> {
        let (stream, consumer) = (&subscriber.stream, subscriber.consumer_name());
        let mut made_at = transport.stream_made_at(stream).await?;
        if made_at.is_none()
            && let Some(config) = self.streams.iter().find(|config| config_text(config, "name") == stream)
        {
            self.check(&format!("stream {stream:?}"))?;
            tracing::error!(stream, "the stream is gone, with every message in it; making it again");
            transport.create_stream(&owned(config, &self.app)).await?;
            made_at = transport.stream_made_at(stream).await?;
        }
        let Some(made_at) = made_at else {
            return Err(Error::new(ErrorKind::Server, format!("stream {stream:?} does not exist")));
        };
        // A consumer that exists was changed by somebody else, if at all: the next start compares it.
        if transport.consumer(stream, consumer).await?.is_some() {
            return Ok(Restored { stream_made_at: made_at, is_new: false });
        }
        self.check(&format!("consumer {consumer:?} of stream {stream:?}"))?;
        refuse_replaced(subscriber, transport).await?;
        let wanted = match position {
            Some(position) if position.stream_made_at == made_at => resumed(&subscriber.consumer, position.answered),
            Some(_) => resumed(&subscriber.consumer, 0),
            None => subscriber.consumer.clone(),
        };
        tracing::warn!(stream, consumer, from = ?wanted.get("opt_start_seq"), "making the consumer again");
        transport.create_consumer(stream, &owned(&wanted, &self.app)).await?;
        Ok(Restored { stream_made_at: made_at, is_new: true })
    }

    fn check(&self, what: &str) -> Result<()> {
        if self.may_create {
            return Ok(());
        }
        let text = format!("{what} does not exist, and `manage` forbids to make it again");
        Err(Error::new(ErrorKind::Server, text))
    }
}

/// A consumer that a newer release has replaced and deleted is not made again: both would deliver everything.
async fn refuse_replaced(subscriber: &SubscriberPlan, transport: &dyn Transport) -> Result<()> {
    let (stream, own) = (&subscriber.stream, subscriber.consumer_name());
    // Where the list may not be read, there was no replacement by a user with the same rights.
    let Ok(consumers) = transport.consumers(stream).await else { return Ok(()) };
    match newest(&subscriber.durable, &consumers) {
        Some(by) => {
            let text = format!(
                "consumer {own:?} of stream {stream:?} was replaced by {:?}, of another release; start this process again",
                by.name
            );
            Err(Error::new(ErrorKind::Server, text))
        }
        None => Ok(()),
    }
}
