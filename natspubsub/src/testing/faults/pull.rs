//! Deliveries: late, in another order, lost with the connection, and from consumers that somebody deletes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;

use super::plan::Faults;
use super::transport::Link;
use super::wire::Place;
use crate::error::Result;
use crate::transport::{Pull, PullEvent, Received};

/// How long a pause between two deliveries of a slow consumer is at most.
const TRICKLE: Duration = Duration::from_millis(500);

/// A crash in the handler comes within this time after its delivery.
const CRASH_WITHIN: Duration = Duration::from_millis(100);

/// So many deliveries at most are written to a connection that has broken.
const WASTED_MAX: u64 = 3;

/// A pull with faults.
pub(super) struct FaultyPull {
    link: Arc<Link>,
    stream: String,
    durable: String,
    inner: Box<dyn Pull>,
    /// Deliveries on their way, by the time at which they arrive and the order in which they were sent.
    on_their_way: BTreeMap<(Duration, u64), OnItsWay>,
    /// When the last of them would arrive in its order.
    last_due: Duration,
    taken: u64,
    /// Whether the connection is seen as broken.
    is_broken: bool,
    /// Partitions that were over when it was looked last.
    over: u64,
    /// A slow consumer takes nothing before this time.
    not_before: Duration,
    /// When the spell ends that slows it down.
    slow_until: Option<Duration>,
    /// What comes behind the last delivery.
    last: Option<PullEvent>,
    is_stopped: bool,
}

struct OnItsWay {
    received: Box<Received>,
    /// Whether it waits to be overtaken.
    waits: bool,
}

impl FaultyPull {
    pub(super) fn new(link: Arc<Link>, stream: &str, durable: &str, inner: Box<dyn Pull>) -> Self {
        let over = link.faults.partition.over(link.faults.clock.monotonic());
        Self {
            link,
            stream: stream.to_owned(),
            durable: durable.to_owned(),
            inner,
            on_their_way: BTreeMap::new(),
            last_due: Duration::ZERO,
            taken: 0,
            is_broken: false,
            over,
            not_before: Duration::ZERO,
            slow_until: None,
            last: None,
            is_stopped: false,
        }
    }

    /// What the connection tells by itself: that it broke, or that it stands again.
    async fn connection(&mut self) -> Option<PullEvent> {
        let faults = self.link.faults.clone();
        let over = faults.partition.over(faults.clock.monotonic());
        let breaks = faults.broken_until().is_some();
        if !self.is_broken && (breaks || over != self.over) {
            self.is_broken = true;
            self.waste(&faults);
            faults.trace.note(format_args!("fault partition {} {}", self.stream, self.durable));
            return Some(PullEvent::Reset);
        }
        if self.is_broken && self.is_stopped {
            return Some(PullEvent::Stopped);
        }
        if !self.is_broken || breaks {
            return None;
        }
        match self.link.broker.pull(&self.stream, &self.durable).await {
            Ok(pull) => {
                self.inner = pull;
                self.is_broken = false;
                self.over = over;
                Some(PullEvent::Reset)
            }
            Err(error) => Some(PullEvent::Gone(error.to_string())),
        }
    }

    /// What is on its way when the connection breaks is lost, and the broker writes some more to it.
    fn waste(&mut self, faults: &Faults) {
        for OnItsWay { received, .. } in std::mem::take(&mut self.on_their_way).into_values() {
            faults.trace.note(format_args!("fault lost-delivery {}", Place(&received.token)));
        }
        for _ in 0..faults.of_pulls.below(WASTED_MAX) {
            if let Some(PullEvent::Message(received)) = self.inner.next().now_or_never() {
                self.note_taken(faults, &received);
                faults.trace.note(format_args!("fault lost-delivery {}", Place(&received.token)));
            }
        }
    }

    fn note_taken(&self, faults: &Faults, received: &Received) {
        faults.note_delivery(&self.stream, &self.durable, received.sequence, received.deliveries);
    }

    /// Puts a delivery on its way.
    fn take(&mut self, received: Box<Received>) {
        let faults = self.link.faults.clone();
        self.note_taken(&faults, &received);
        let now = faults.clock.monotonic();
        self.last_due = self.last_due.max(now + faults.delay());
        let waits = faults.happens(&faults.of_deliveries, faults.profile.reorder);
        let longest = if waits { faults.profile.delay } else { Duration::ZERO };
        let due = self.last_due + longest;
        self.taken += 1;
        self.on_their_way.insert((due, self.taken), OnItsWay { received, waits });
        if let Some(until) = faults.lasts(&faults.slow) {
            self.not_before = now + faults.of_pulls.time(TRICKLE);
            if self.slow_until.replace(until) != Some(until) {
                faults.trace.note(format_args!("fault slow-consumer {} {}", self.stream, self.durable));
            }
        }
    }

    /// Hands a delivery over that has arrived, unless the process dies of it.
    async fn arrived(&mut self) -> Option<PullEvent> {
        let faults = self.link.faults.clone();
        let now = faults.clock.monotonic();
        let entry = self.on_their_way.first_entry().filter(|entry| entry.key().0 <= now)?;
        let (_, number) = *entry.key();
        let received = entry.remove().received;
        let place = Place(&received.token);
        if faults.happens(&faults.of_deliveries, faults.profile.crash_before_handler) {
            self.link.life.crash(format_args!("before-handler {place}"));
            self.link.life.alive().await;
        }
        faults.trace.note(format_args!("deliver {place}"));
        self.overtake(number, now);
        if faults.happens(&faults.of_deliveries, faults.profile.crash_in_handler) {
            self.link.life.crash_at(now + faults.of_deliveries.time(CRASH_WITHIN));
        }
        Some(PullEvent::Message(received))
    }

    /// A delivery has arrived: what was sent before it and waits to be overtaken waits no more.
    fn overtake(&mut self, number: u64, now: Duration) {
        let waiting = self.on_their_way.iter().filter(|((_, sent), on_its_way)| on_its_way.waits && *sent < number);
        let keys: Vec<(Duration, u64)> = waiting.map(|(key, _)| *key).collect();
        for key in keys {
            if let Some(OnItsWay { received, .. }) = self.on_their_way.remove(&key) {
                self.link.faults.trace.note(format_args!("fault reorder {}", Place(&received.token)));
                self.on_their_way.insert((now, key.1), OnItsWay { received, waits: false });
            }
        }
    }

    /// When something happens by itself.
    fn next_look(&self, slow: bool) -> Option<Duration> {
        let faults = &self.link.faults;
        let now = faults.clock.monotonic();
        let change = faults.partition.changes_at(now).filter(|_| faults.are_active());
        let due = self.on_their_way.first_key_value().map(|((due, _), _)| *due);
        let paced = slow.then_some(self.not_before);
        [change, due, paced].into_iter().flatten().min()
    }
}

#[async_trait]
impl Pull for FaultyPull {
    fn is_ready(&self) -> bool {
        !self.is_broken && self.inner.is_ready()
    }

    async fn request(&mut self, batch: u32, expires: Duration) -> Result<()> {
        self.link.life.alive().await;
        let faults = &self.link.faults;
        faults.trace.note(format_args!("request {} {} {batch}", self.stream, self.durable));
        if self.is_broken || faults.broken_until().is_some() {
            return Ok(());
        }
        if faults.happens(&faults.of_pulls, faults.profile.delete_consumer) {
            faults.trace.note(format_args!("fault delete-consumer {} {}", self.stream, self.durable));
            self.link.broker.delete_consumer(&self.stream, &self.durable).await?;
        }
        self.inner.request(batch, expires).await
    }

    async fn next(&mut self) -> PullEvent {
        let faults = self.link.faults.clone();
        loop {
            let changed = faults.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            self.link.life.alive().await;
            if let Some(event) = self.connection().await {
                return event;
            }
            if let Some(event) = self.arrived().await {
                return event;
            }
            if self.on_their_way.is_empty()
                && let Some(last) = self.last.take()
            {
                return last;
            }
            let now = faults.clock.monotonic();
            let is_slow = faults.lasts(&faults.slow).is_some() && now < self.not_before;
            let takes = !self.is_broken && !is_slow && self.last.is_none();
            let look = self.next_look(is_slow).map(|look| faults.clock.sleep(look.saturating_sub(now)));
            let look = async {
                match look {
                    Some(look) => look.await,
                    None => std::future::pending().await,
                }
            };
            let event = tokio::select! {
                biased;
                event = self.inner.next(), if takes => event,
                () = look => continue,
                () = changed => continue,
            };
            match event {
                PullEvent::Message(received) => self.take(received),
                PullEvent::Ended { unfilled } => return PullEvent::Ended { unfilled },
                last => self.last = Some(last),
            }
        }
    }

    async fn stop(&mut self) {
        self.link.life.alive().await;
        self.is_stopped = true;
        self.inner.stop().await;
    }
}
