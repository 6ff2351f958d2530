//! A built message is published.

use std::time::Duration;

use futures::future::Either;

use super::draft::{Destination, Draft, Prepared};
use super::entry::Entry;
use super::message::MessageBuilder;
use super::outlet::Reserved;
use super::pipeline::store_all;
use super::published::Published;
use super::publisher::Publisher;
use super::report::MultiPublished;
use super::under_way::UnderWay;
use crate::clock::event_id;
use crate::error::Result;
use crate::message::Encode;

impl<'a, T: Encode + ?Sized> MessageBuilder<'a, T, &'a Publisher> {
    /// Publishes the message and waits until it is stored.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) -> natspubsub::Result {
    /// let published = publisher.message("ORD-1").topic("order.created").publish().await?;
    /// println!("message {}", published.sequence);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Publisher::publish`]; and [`ErrorKind::InvalidHeader`](crate::ErrorKind::InvalidHeader) for a header or an
    /// event id that breaks the rules; [`ErrorKind::Rejected`](crate::ErrorKind::Rejected) for a lifetime or a delay that
    /// the server is too old for.
    pub async fn publish(self) -> Result<Published> {
        self.begin()?.await
    }

    /// The first step of a publish, which waits for nothing, and the rest. What has to wait before it is sent is put aside:
    /// the others are small.
    pub(super) fn begin(self) -> Result<impl Future<Output = Result<Published>> + use<'a, T>> {
        let (publisher, began) = (self.by, self.by.begin());
        if let Some(layers) = publisher.layers() {
            return Ok(Either::Right(Either::Right(Either::Left(Box::pin(self.publish_through(layers))))));
        }
        // Written when it has a place: what waits before holds no bytes.
        let place = match publisher.outlet().try_reserve(false) {
            Some(place) if self.features().next().is_none() => place,
            _ => return Ok(Either::Right(Either::Left(Box::pin(self.publish_in_turn(began))))),
        };
        Ok(match UnderWay::begin(publisher, self.prepare()?, place, began) {
            Ok(under_way) => Either::Left(under_way.end()),
            Err(back) => {
                let (prepared, place) = *back;
                Either::Right(Either::Right(Either::Right(Box::pin(publisher.store(prepared, Ok(place), began)))))
            }
        })
    }

    async fn publish_in_turn(self, began: Option<Duration>) -> Result<Published> {
        let place = self.by.outlet().reserve(self.draft.name(), false).await;
        // Made when it has its place: thousands may wait for theirs.
        Box::pin(self.publish_in_place(place, began)).await
    }

    async fn publish_in_place(self, place: Result<Reserved<'a>>, began: Option<Duration>) -> Result<Published> {
        let prepared = self.prepare()?;
        self.by.ensure(self.features()).await?;
        let stored = self.by.store(prepared, place, began).await;
        if stored.is_err() && self.features().next().is_some() {
            self.by.outlet().doubt_features();
        }
        stored
    }

    /// Publishes the message to several topics, at the same time, as [`Publisher::publish_to`] does: under one event id,
    /// and message ids `{event_id}:{topic}`. Repeated with the same [`event_id`](Self::event_id), it is stored once.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(publisher: Publisher) {
    /// let message = publisher.message("Ann").event_id("user-created-1");
    /// let published = message.publish_to(["notification.email", "audit.user-created"]).await;
    /// assert!(published.is_ok());
    /// # }
    /// ```
    pub async fn publish_to(self, topics: impl IntoIterator<Item = impl Into<String>>) -> MultiPublished {
        let Self { by: publisher, value, draft } = self;
        let clock = &*publisher.outlet().clock;
        let id = draft.event_id.clone().unwrap_or_else(|| event_id(clock, clock.now()));
        let entries = topics.into_iter().map(|topic| {
            let destination = Destination::Topic(topic.into());
            let draft = Draft { destination, event_id: Some(id.clone()), is_one_of_many: true, ..draft.clone() };
            Entry::of(MessageBuilder::new(publisher, value, draft))
        });
        MultiPublished::new(store_all(publisher, entries.collect(), false).await)
    }

    pub(super) fn prepare(&self) -> Result<Prepared> {
        let prepared = self.draft.prepare(&self.by.author(), self.value);
        prepared.inspect_err(|error| self.by.outlet().measure_refused(&self.draft, error))
    }
}
