//! Publishing through middleware. Nothing of this runs in an application without.

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;

use super::entry::Entry;
use super::layers::{End, PublishLayers};
use super::message::MessageBuilder;
use super::outgoing::{Outgoing, Way};
use super::published::Published;
use super::publisher::Publisher;
use super::report::PublishResult;
use crate::error::Result;
use crate::message::Encode;
use crate::topology::Feature;

/// The stream of the application, or of a raw subject.
struct Stream<'a> {
    publisher: &'a Publisher,
    features: &'a [Feature],
    /// Whether the application knows already that it has to wait for the message.
    is_accepted: bool,
}

impl End for Stream<'_> {
    fn publish(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Published>> {
        Box::pin(async move {
            let (publisher, outlet) = (self.publisher, self.publisher.outlet());
            let began = publisher.begin();
            let place = outlet.reserve(outgoing.topic(), self.is_accepted).await;
            let prepared = outgoing.prepare(&publisher.author())?;
            publisher.ensure(self.features.iter().copied()).await?;
            let stored = publisher.store(prepared, place, began).await;
            if stored.is_err() && !self.features.is_empty() {
                outlet.doubt_features();
            }
            stored
        })
    }
}

/// Whoever listens now.
struct Core<'a>(&'a Publisher);

impl End for Core<'_> {
    fn publish(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Published>> {
        Box::pin(async move {
            let prepared = outgoing.prepare(&self.0.author())?;
            let (event_id, subject) = (prepared.event_id.clone(), prepared.subject().to_owned());
            self.0.hand_over_core(prepared).await?;
            Ok(Published { event_id, subject, stream: String::new(), sequence: 0, duplicate: false })
        })
    }
}

impl Publisher {
    /// What lies around its publishes, if anything does.
    pub(super) fn layers(&self) -> Option<&PublishLayers> {
        Some(&self.outlet().around.layers).filter(|layers| !layers.is_empty())
    }

    /// Hands a message to whoever listens now, through the middleware.
    pub(super) async fn send_core_through(&self, layers: &PublishLayers, outgoing: Outgoing) -> Result<()> {
        layers.publish(outgoing, &Core(self)).await.map(drop)
    }
}

impl<'a, T: Encode + ?Sized> MessageBuilder<'a, T, &'a Publisher> {
    /// The message as middleware sees it.
    pub(super) fn outgoing(&self, way: Way) -> Result<Outgoing> {
        Outgoing::of(self.draft.clone(), self.value, way, &self.by.author())
    }

    /// Publishes the message through the middleware.
    pub(super) async fn publish_through(self, layers: &PublishLayers) -> Result<Published> {
        let features: Vec<Feature> = self.features().collect();
        let end = Stream { publisher: self.by, features: &features, is_accepted: false };
        layers.publish(self.outgoing(Way::Stored)?, &end).await
    }
}

/// As [`store_all`](super::pipeline::store_all), through the middleware.
pub(super) async fn store_all_through(
    publisher: &Publisher,
    layers: &PublishLayers,
    entries: Vec<Entry>,
    is_accepted: bool,
) -> Vec<PublishResult> {
    let window = publisher.outlet().config.publish_window as usize;
    let (mut entries, mut results) = (entries.into_iter(), Vec::new());
    let mut under_way = FuturesOrdered::new();
    loop {
        while under_way.len() < window
            && let Some(entry) = entries.next()
        {
            under_way.push_back(store_through(publisher, layers, entry, is_accepted));
        }
        match under_way.next().await {
            Some(result) => results.push(result),
            None => return results,
        }
    }
}

async fn store_through(
    publisher: &Publisher,
    layers: &PublishLayers,
    entry: Entry,
    is_accepted: bool,
) -> PublishResult {
    let Entry { topic, event_id, message, features, outgoing, .. } = entry;
    let result = match (message, outgoing) {
        (Ok(_), Some(outgoing)) => {
            layers.publish(*outgoing, &Stream { publisher, features: &features, is_accepted }).await
        }
        (Ok(prepared), None) => {
            let place = publisher.outlet().reserve(&topic, is_accepted).await;
            publisher.store(prepared, place, publisher.begin()).await
        }
        (Err(error), _) => Err(error),
    };
    PublishResult { topic, event_id, result }
}
