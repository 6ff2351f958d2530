//! Handlers that block their thread: a poll that does not return keeps its peers and its runtime from working.
//!
//! The worker counts the beginning and the end of each poll; the watch, on the connection's thread, looks each second
//! whether it is still the same poll. No clock is read on the way of a message.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;

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

/// A run whose polls are counted.
pub(super) struct Counted<T> {
    pub(super) subscriber: Arc<Subscriber>,
    pub(super) sequence: u64,
    pub(super) run: BoxFuture<'static, T>,
}

impl<T> Future for Counted<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Self { subscriber, sequence, run } = self.get_mut();
        let _under_way = subscriber.polls.begin(*sequence);
        run.as_mut().poll(context)
    }
}

/// A poll under way; it ends when this is dropped, also by a panic.
struct UnderWay<'a>(&'a Polls);

impl Polls {
    fn begin(&self, sequence: u64) -> UnderWay<'_> {
        self.sequence.store(sequence, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Release);
        UnderWay(self)
    }

    /// The poll that is under way and the message that it works on.
    fn under_way(&self) -> Option<(u64, u64)> {
        let count = self.count.load(Ordering::Acquire);
        (!count.is_multiple_of(2)).then(|| (count, self.sequence.load(Ordering::Relaxed)))
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.count.fetch_add(1, Ordering::Release);
    }
}

/// Warns, once for each poll, of handlers that block their thread. It does not end.
pub(crate) async fn watch(subscribers: Vec<Arc<Subscriber>>, clock: SharedClock) {
    let mut last: Vec<Option<(u64, u64)>> = vec![None; subscribers.len()];
    let mut told: Vec<u64> = vec![0; subscribers.len()];
    loop {
        clock.sleep(LOOK).await;
        for (index, subscriber) in subscribers.iter().enumerate() {
            let now = subscriber.polls.under_way();
            if let Some((poll, sequence)) = now.filter(|now| last[index] == Some(*now) && told[index] != now.0) {
                told[index] = poll;
                let (handler, place) = (subscriber.plan.origin.name, subscriber.plan.origin.place());
                tracing::warn!(
                    handler,
                    place,
                    consumer = %subscriber.durable,
                    sequence,
                    "the handler blocks its thread for more than a second; use spawn_blocking or an asynchronous call"
                );
            }
            last[index] = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
