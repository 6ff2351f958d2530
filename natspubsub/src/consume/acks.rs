//! Acknowledgements on their way to the connection.
//!
//! To wake its thread up for each of them costs more than to handle a small message. So those of one pass of a worker go
//! together; and when the server is about to deliver more, which wakes that thread anyway, they wait for it a moment. A
//! handler that blocks keeps its worker from all this; the keeper then hands them over, long before `ack_wait` is over.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::in_hand::InHand;
use super::subscriber::Subscriber;
use crate::transport::{Answer, Transport};

/// How long an acknowledgement waits for the next delivery at most.
const WAIT: Duration = Duration::from_millis(1);

/// What is acknowledged and not yet handed to the connection.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    waiting: Mutex<VecDeque<Arc<InHand>>>,
}

impl Acks {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Arc<InHand>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting().len()
    }

    pub(super) fn add(&self, hand: Arc<InHand>) {
        self.waiting().push_back(hand);
    }

    /// What a subscriber has acknowledged and is not handed over.
    pub(super) fn of(&self, subscriber: usize) -> Vec<Arc<InHand>> {
        self.waiting().iter().filter(|hand| hand.subscriber() == subscriber).cloned().collect()
    }

    /// Hands over what the connection has room for; whether that is everything.
    pub(crate) fn hand_over(&self, transport: &dyn Transport) -> bool {
        let mut waiting = self.waiting();
        while let Some(hand) = waiting.front() {
            // Of a stream that was made again, the number of an old message is that of a new one.
            if !hand.is_void() {
                match transport.acknowledge(hand.token()) {
                    None => return false,
                    Some(Ok(())) => {}
                    Some(Err(error)) => tracing::error!(%error, token = hand.token(), "not acknowledged"),
                }
            }
            waiting.pop_front();
        }
        true
    }

    /// Hands over everything, and waits for room where there is none.
    pub(crate) async fn hand_over_all(&self, transport: &dyn Transport) {
        while !self.hand_over(transport) {
            let Some(first) = self.waiting().front().cloned() else { return };
            if let Err(error) = transport.answer(first.token(), Answer::Ack).await {
                tracing::error!(%error, "the last acknowledgements could not be sent");
                return;
            }
            // It counts as waiting until it is sent. Another thread may have sent it too, which does no harm.
            let mut waiting = self.waiting();
            if waiting.front().is_some_and(|front| Arc::ptr_eq(front, &first)) {
                waiting.pop_front();
            }
        }
    }
}

/// When a worker hands over what it has acknowledged.
pub(super) struct Handover {
    subscriber: Arc<Subscriber>,
    turn: Turn,
}

/// Whether it is time to hand over.
#[derive(Default)]
struct Turn {
    /// Since something waits for the next delivery.
    wait: Option<BoxFuture<'static, ()>>,
}

impl Handover {
    pub(super) fn new(subscriber: Arc<Subscriber>) -> Self {
        Self { subscriber, turn: Turn::default() }
    }

    /// To be polled when there is nothing more to do at the moment. It does not end.
    pub(super) async fn at_end_of_pass(&mut self) {
        poll_fn(|context| {
            let Subscriber { shared, load, plan, .. } = &*self.subscriber;
            // With a key and one handler the server waits for the acknowledgement.
            let may_wait = plan.settings.ordered_by.is_none() && load.expects_more();
            let sleep = || shared.clock.sleep(WAIT);
            if self.turn.has_come(context, shared.acks.len(), may_wait, sleep)
                && !shared.acks.hand_over(shared.transport.as_ref())
            {
                // There was no room.
                self.turn.wait(context, sleep);
            }
            Poll::Pending
        })
        .await
    }
}

impl Turn {
    fn has_come(
        &mut self,
        context: &mut Context<'_>,
        waiting: usize,
        may_wait: bool,
        sleep: impl FnOnce() -> BoxFuture<'static, ()>,
    ) -> bool {
        let is_over = self.wait.as_mut().is_some_and(|wait| wait.poll_unpin(context).is_ready());
        if is_over {
            self.wait = None;
        }
        if waiting == 0 || is_over || !may_wait {
            return waiting > 0;
        }
        self.wait(context, sleep);
        false
    }

    /// The worker is woken when the time is over.
    fn wait(&mut self, context: &mut Context<'_>, sleep: impl FnOnce() -> BoxFuture<'static, ()>) {
        if self.wait.get_or_insert_with(sleep).poll_unpin(context).is_ready() {
            self.wait = None;
            context.waker().wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::task::noop_waker_ref;

    use super::*;
    use crate::clock::{SharedClock, SystemClock};
    use crate::config::Config;
    use crate::consume::in_hand::tests::hand;

    fn comes(turn: &mut Turn, clock: &SharedClock, waiting: usize, may_wait: bool) -> bool {
        let mut context = Context::from_waker(noop_waker_ref());
        turn.has_come(&mut context, waiting, may_wait, || clock.sleep(WAIT))
    }

    #[tokio::test(start_paused = true)]
    async fn acknowledgements_wait_for_the_next_delivery_and_not_for_long() {
        let (clock, mut turn) = (SystemClock::shared(), Turn::default());
        assert!(!comes(&mut turn, &clock, 0, false), "nothing waits");
        assert!(comes(&mut turn, &clock, 1, false), "no delivery is expected");
        assert!(!comes(&mut turn, &clock, 1, true));
        assert!(!comes(&mut turn, &clock, 2, true));
        tokio::time::advance(WAIT * 2).await;
        assert!(comes(&mut turn, &clock, 3, true), "the delivery did not come");
        assert!(!comes(&mut turn, &clock, 1, true), "the next wait begins anew");
        assert!(comes(&mut turn, &clock, 1, false), "what was expected has come, and it was the last");
    }

    #[tokio::test]
    async fn what_finds_no_room_stays_and_what_is_void_is_not_sent() {
        let config = Config::builder().url("memory:acks").app("acks").build().unwrap();
        let transport = crate::transport::connect(&config, &SystemClock::shared(), |_| {}).await.unwrap();
        let acks = Acks::default();
        // The broker takes none that it has not delivered, as if there were no room.
        acks.add(Arc::new(hand()));
        assert!(!acks.hand_over(transport.as_ref()));
        assert_eq!((acks.len(), acks.of(0).len(), acks.of(1).len()), (1, 1, 0));
        acks.of(0).iter().for_each(|hand| hand.make_void());
        assert!(acks.hand_over(transport.as_ref()), "its stream is gone");
        assert_eq!(acks.len(), 0);
    }
}
