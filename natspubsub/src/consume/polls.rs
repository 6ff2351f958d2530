//! Handlers that block their thread: a poll that does not return keeps its peers and its runtime from working.
//!
//! The worker counts the beginning and the end of each poll; the watch, on the connection's thread, looks each second
//! whether it is still the same poll. No clock is read on the way of a message.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::subscriber::Subscriber;
use crate::clock::SharedClock;

/// How often the watch looks. A poll that lasts longer is told after one to two of these.
const LOOK: Duration = Duration::from_secs(1);

/// The polls of one worker. An odd count means that one is under way.
#[derive(Debug, Default)]
pub(super) struct Polls {
    count: AtomicU64,
    /// The stream sequence of the message that is polled.
    sequence: AtomicU64,
}

/// Where a run is: in a box, because it has a kilobyte or two, and would be moved with what is polled.
pub(super) type Place<F> = Pin<Box<Option<F>>>;

/// A run whose polls are counted; it ends with what it ends with, and its place, for another.
pub(super) struct Counted<'a, F> {
    polls: &'a Polls,
    /// The stream sequence of its message.
    sequence: u64,
    /// `None` once it has ended.
    run: Option<Place<F>>,
}

impl<'a, F: Future> Counted<'a, F> {
    /// Puts a run into the place of another, if there is one.
    pub(super) fn new(polls: &'a Polls, sequence: u64, place: Option<Place<F>>, run: impl FnOnce() -> F) -> Self {
        let mut place = place.unwrap_or_else(|| Box::pin(None));
        place.set(Some(run()));
        Self { polls, sequence, run: Some(place) }
    }
}

impl<F: Future> Future for Counted<'_, F> {
    type Output = (F::Output, Place<F>);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let _under_way = self.polls.begin(self.sequence);
        let run = self.run.as_mut().and_then(|place| place.as_mut().as_pin_mut());
        let ended = ready!(run.map_or(Poll::Pending, |run| run.poll(context)));
        self.run.take().map_or(Poll::Pending, |place| Poll::Ready((ended, place)))
    }
}

/// A poll under way; it ends when this is dropped, also by a panic.
struct UnderWay<'a>(&'a Polls);

impl Polls {
    fn begin(&self, sequence: u64) -> UnderWay<'_> {
        self.sequence.store(sequence, Ordering::Relaxed);
        self.count_one();
        UnderWay(self)
    }

    fn count_one(&self) {
        // The worker alone writes it.
        self.count.store(self.count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
    }

    /// The poll that is under way and the message that it works on.
    fn under_way(&self) -> Option<(u64, u64)> {
        let count = self.count.load(Ordering::Acquire);
        (!count.is_multiple_of(2)).then(|| (count, self.sequence.load(Ordering::Relaxed)))
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.count_one();
    }
}

/// What the watch has seen of one subscriber.
#[derive(Debug, Default)]
struct Seen {
    poll: Option<(u64, u64)>,
    /// Looks at which it was the same poll.
    looks: u32,
}

impl Seen {
    /// How long the poll that is under way has lasted at least.
    fn lasts(&mut self, now: Option<(u64, u64)>) -> Duration {
        self.looks = if now.is_some() && now == self.poll { self.looks + 1 } else { 0 };
        self.poll = now;
        LOOK * self.looks
    }
}

/// Warns of handlers that block their thread, once for each poll, and again when one is stuck: after twice its time
/// limit, which cannot end it. It does not end.
///
/// `subscribers` says who is there at each look.
pub(crate) async fn watch(subscribers: impl Fn() -> Vec<Arc<Subscriber>>, clock: SharedClock) {
    let mut seen: HashMap<usize, Seen> = HashMap::new();
    loop {
        clock.sleep(LOOK).await;
        for subscriber in subscribers() {
            let seen = seen.entry(subscriber.index).or_default();
            let now = subscriber.polls.under_way();
            let lasts = seen.lasts(now);
            let stuck_after = subscriber.plan.settings.timeout.map_or(Duration::MAX, |limit| limit * 2);
            let sequence = now.filter(|_| lasts >= stuck_after.max(LOOK)).map(|(_, sequence)| sequence);
            let (handler, place) = (subscriber.plan.origin.name, subscriber.plan.origin.place());
            if lasts == LOOK {
                tracing::warn!(
                    handler,
                    place,
                    consumer = %subscriber.durable,
                    sequence = now.map(|(_, sequence)| sequence),
                    "the handler blocks its thread for more than a second; use spawn_blocking or an asynchronous call"
                );
            }
            if subscriber.set_stuck(sequence) {
                tracing::error!(handler, place, consumer = %subscriber.durable, sequence, "stuck handler: it blocks its thread beyond twice its timeout, and nothing can end it");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_lasts_from_look_to_look_as_long_as_it_is_the_same() {
        let mut seen = Seen::default();
        let looks = [None, Some((1, 7)), Some((1, 7)), Some((1, 7)), Some((3, 7)), None, None];
        let lasts: Vec<u64> = looks.into_iter().map(|now| seen.lasts(now).as_secs()).collect();
        assert_eq!(lasts, [0, 0, 1, 2, 0, 0, 0]);
    }

    #[test]
    fn a_poll_is_under_way_from_its_beginning_to_its_end() {
        let polls = Polls::default();
        assert_eq!(polls.under_way(), None);
        let first = polls.begin(7);
        assert_eq!(polls.under_way(), Some((1, 7)));
        drop(first);
        assert_eq!(polls.under_way(), None);
        let _second = polls.begin(8);
        assert_eq!(polls.under_way(), Some((3, 8)), "another poll has another number");
    }
}
