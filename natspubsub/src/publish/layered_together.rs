//! Messages that are stored all together or not at all, each through the middleware: those that have passed it wait for the
//! others, and then each learns what became of all.

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};

use super::atomic::{features, store_together};
use super::draft::Prepared;
use super::entry::Entry;
use super::layers::{End, PublishLayers};
use super::outgoing::Outgoing;
use super::published::Published;
use super::publisher::Publisher;
use super::report::PublishResult;
use crate::error::{Error, ErrorKind, Result};

/// Where one message waits for the others.
struct Gate<'a> {
    publisher: &'a Publisher,
    index: usize,
    arrived: mpsc::UnboundedSender<Arrival>,
}

/// A message that has passed the middleware.
struct Arrival {
    index: usize,
    prepared: Prepared,
    told: oneshot::Sender<Result<Published>>,
}

impl End for Gate<'_> {
    fn publish(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Published>> {
        Box::pin(async move {
            let prepared = outgoing.prepare(&self.publisher.author())?;
            let (told, stored) = oneshot::channel();
            let _ = self.arrived.send(Arrival { index: self.index, prepared, told });
            stored.await.unwrap_or_else(|_| Err(not_stored("another message of its batch was refused")))
        })
    }
}

fn not_stored(why: &str) -> Error {
    Error::new(ErrorKind::Rejected, format!("the message of an atomic batch is not stored: {why}"))
}

/// As [`store_together`], through the middleware; what one message is refused with refuses all.
pub(super) async fn store_together_through(
    publisher: &Publisher,
    layers: &PublishLayers,
    entries: Vec<Entry>,
) -> Result<Vec<PublishResult>> {
    let (count, features) = (entries.len(), features(&entries));
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let (mut topics, mut under_way) = (Vec::with_capacity(count), FuturesUnordered::new());
    for (index, entry) in entries.into_iter().enumerate() {
        let outgoing = entry.outgoing.ok_or_else(|| not_stored("it was written without middleware"));
        entry.message?;
        let (outgoing, gate) = (*outgoing?, Gate { publisher, index, arrived: arrived.clone() });
        topics.push((entry.topic, entry.event_id));
        under_way.push(async move { (index, layers.publish(outgoing, &gate).await) });
    }
    let mut waiting: Vec<Option<Arrival>> = (0..count).map(|_| None).collect();
    for _ in 0..count {
        tokio::select! {
            biased;
            Some(arrival) = arrivals.recv() => {
                let index = arrival.index;
                waiting[index] = Some(arrival);
            }
            Some((_, ended)) = under_way.next() => {
                // Nobody who has passed is told, so that this one was kept.
                return Err(ended.err().unwrap_or_else(|| not_stored("a middleware kept it back")));
            }
        }
    }
    let (written, told): (Vec<_>, Vec<_>) = waiting
        .into_iter()
        .flatten()
        .zip(&topics)
        .map(|(arrival, (topic, _))| ((topic.clone(), arrival.prepared), arrival.told))
        .unzip();
    match store_together(publisher, written, features).await {
        Ok(results) => {
            for (told, result) in told.into_iter().zip(results) {
                let _ = told.send(result.result);
            }
            Ok(ended(topics, under_way.collect().await))
        }
        Err(error) => {
            for told in told {
                let _ = told.send(Err(Error::new(error.kind().clone(), error.to_string())));
            }
            under_way.for_each(|_| std::future::ready(())).await;
            Err(error)
        }
    }
}

/// What the middleware made of each result, in the order of the messages.
fn ended(topics: Vec<(String, String)>, mut ended: Vec<(usize, Result<Published>)>) -> Vec<PublishResult> {
    ended.sort_by_key(|(index, _)| *index);
    let result = |((topic, event_id), (_, result))| PublishResult { topic, event_id, result };
    topics.into_iter().zip(ended).map(result).collect()
}
