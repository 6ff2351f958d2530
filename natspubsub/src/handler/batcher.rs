//! Gathering deliveries for a batch handler, each on its own way through the middleware.
//!
//! The delivery that opens a batch leads it: it waits until the batch is full or the time is over, calls the handler,
//! and hands every member its outcome. Nothing is spawned; when a leader is dropped, its members are told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, oneshot};
use tracing::Instrument;

use super::batch::{BatchFuture, repeat};
use super::delivery::Delivery;
use super::failure::Failure;
use super::guard::guard;
use super::outcome::Outcome;
use crate::clock::{SharedClock, timeout};
use crate::trace::{Templates, batch_span, failed};

/// How batches are formed and handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchSettings {
    /// The most messages of one batch.
    pub(crate) max: u32,
    /// How long a batch waits for more messages.
    pub(crate) wait: Duration,
    /// Batches that are handled at once.
    pub(crate) at_once: u32,
}

/// The batches of one subscriber.
pub(crate) struct Batcher {
    call: fn(Vec<Delivery>) -> BatchFuture,
    settings: BatchSettings,
    /// How long one call may take.
    limit: Option<Duration>,
    clock: SharedClock,
    /// The durable, and its patterns: for spans.
    group: String,
    templates: Templates,
    /// The batch that still takes members.
    open: Mutex<Option<Arc<OpenBatch>>>,
    places: Semaphore,
}

#[derive(Default)]
struct OpenBatch {
    members: Mutex<Vec<Member>>,
    full: Notify,
}

struct Member {
    delivery: Delivery,
    outcome: oneshot::Sender<Outcome>,
}

impl Batcher {
    pub(crate) fn new(
        call: fn(Vec<Delivery>) -> BatchFuture,
        settings: BatchSettings,
        limit: Option<Duration>,
        clock: SharedClock,
    ) -> Self {
        let places = Semaphore::new(settings.at_once as usize);
        Self {
            call,
            settings,
            limit,
            clock,
            group: String::new(),
            templates: Templates::default(),
            open: Mutex::default(),
            places,
        }
    }

    /// Names it, for spans.
    pub(crate) fn of(self, durable: &str, templates: Templates) -> Self {
        Self { group: durable.to_owned(), templates, ..self }
    }

    /// Joins a batch and ends with the outcome of this delivery.
    pub(crate) async fn submit(&self, delivery: Delivery) -> Outcome {
        let (outcome, mine) = oneshot::channel();
        if let Some(batch) = self.join(Member { delivery, outcome }) {
            self.lead(batch).await;
        }
        mine.await.unwrap_or_else(|_| Outcome::Failed(Failure::transient("the batch was cut off before its end")))
    }

    fn open(&self) -> MutexGuard<'_, Option<Arc<OpenBatch>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The batch, if this member opened it.
    fn join(&self, member: Member) -> Option<Arc<OpenBatch>> {
        let mut open = self.open();
        let (batch, leads) = match open.take() {
            Some(batch) => (batch, false),
            None => (Arc::new(OpenBatch::default()), true),
        };
        let full = {
            let mut members = batch.members.lock().unwrap_or_else(PoisonError::into_inner);
            members.push(member);
            members.len() >= self.settings.max as usize
        };
        if full {
            batch.full.notify_one();
        } else {
            *open = Some(batch.clone());
        }
        leads.then_some(batch)
    }

    async fn lead(&self, batch: Arc<OpenBatch>) {
        let leader = Leader { batcher: self, batch };
        let _ = timeout(&*self.clock, self.settings.wait, leader.batch.full.notified()).await;
        // Until there is a place, members may still join.
        let Ok(_place) = self.places.acquire().await else { return };
        let (deliveries, outcomes): (Vec<_>, Vec<_>) =
            leader.close().into_iter().map(|member| (member.delivery, member.outcome)).unzip();
        let contexts = deliveries.iter().map(Delivery::context);
        let span = batch_span(&self.templates, &self.group, contexts.map(|of| (of.subject(), of.headers())));
        // Called inside the span: what a handler takes as an argument is made there.
        let called = span.in_scope(|| (self.call)(deliveries));
        let ended = guard(&*self.clock, self.limit, called).instrument(span.clone()).await;
        failed(&span, ended.as_ref().err().and_then(|failure| failure.class().error_type()));
        match ended {
            Ok(settled) => outcomes.into_iter().zip(settled).for_each(|(to, outcome)| drop(to.send(outcome))),
            Err(failure) => {
                let failed = Outcome::Failed(failure);
                outcomes.into_iter().for_each(|to| drop(to.send(repeat(&failed))));
            }
        }
    }
}

/// Closes the batch when it is dropped, so that nobody joins a batch without a leader.
struct Leader<'a> {
    batcher: &'a Batcher,
    batch: Arc<OpenBatch>,
}

impl Leader<'_> {
    fn close(&self) -> Vec<Member> {
        let mut open = self.batcher.open();
        if open.as_ref().is_some_and(|open| Arc::ptr_eq(open, &self.batch)) {
            *open = None;
        }
        std::mem::take(&mut *self.batch.members.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::message::Context;

    fn delivery(body: &str) -> Delivery {
        Delivery::new(Context::sample(), bytes::Bytes::from(body.to_owned()), Arc::default())
    }

    /// Tells every member how large its batch was.
    fn sizes(deliveries: Vec<Delivery>) -> BatchFuture {
        Box::pin(async move {
            let size = deliveries.len().to_string();
            deliveries.iter().map(|_| Outcome::Discard { reason: size.clone() }).collect()
        })
    }

    fn panics(_: Vec<Delivery>) -> BatchFuture {
        Box::pin(async { panic!("boom") })
    }

    fn hangs(_: Vec<Delivery>) -> BatchFuture {
        Box::pin(std::future::pending())
    }

    fn batcher(call: fn(Vec<Delivery>) -> BatchFuture, max: u32) -> Batcher {
        let settings = BatchSettings { max, wait: Duration::from_millis(20), at_once: 1 };
        Batcher::new(call, settings, Some(Duration::from_millis(100)), SystemClock::shared())
    }

    async fn submit(batcher: &Batcher, count: usize) -> Vec<String> {
        let outcomes = futures::future::join_all((0..count).map(|_| batcher.submit(delivery("1")))).await;
        outcomes.iter().map(|outcome| format!("{outcome:?}")).collect()
    }

    #[tokio::test]
    async fn a_batch_is_full_or_waits_no_longer_than_it_should() {
        let sizes = submit(&batcher(sizes, 4), 10).await;
        let of = |size: &str| sizes.iter().filter(|outcome| outcome.contains(&format!("\"{size}\""))).count();
        assert_eq!((of("4"), of("2")), (8, 2), "{sizes:?}");
    }

    #[tokio::test]
    async fn a_panic_and_a_timeout_are_those_of_every_member() {
        for (call, text) in [(panics as fn(Vec<Delivery>) -> BatchFuture, "boom"), (hangs, "timeout = 100ms")] {
            let outcomes = submit(&batcher(call, 3), 3).await;
            assert!(outcomes.iter().all(|outcome| outcome.contains(text)), "{outcomes:?}");
        }
    }

    #[tokio::test]
    async fn members_of_a_dropped_leader_are_told_and_the_next_batch_goes_on() {
        let batcher = batcher(sizes, 100);
        let mut leader = Box::pin(batcher.submit(delivery("1")));
        assert!(futures::poll!(leader.as_mut()).is_pending());
        let mut member = Box::pin(batcher.submit(delivery("2")));
        assert!(futures::poll!(member.as_mut()).is_pending());
        drop(leader);
        assert!(format!("{:?}", member.await).contains("cut off"));
        assert!(format!("{:?}", batcher.submit(delivery("3")).await).contains('1'));
    }
}
