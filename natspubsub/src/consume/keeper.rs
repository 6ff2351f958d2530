//! One keeper for all deliveries in hand: it tells the server that they are being worked on.
//!
//! It runs on the connection's own thread, so that handlers that block every thread of the application do not make
//! the server deliver their messages a second time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use slab::Slab;

use super::acks::Acks;
use super::in_hand::{Holder, InHand, nanos};
use crate::clock::SharedClock;
use crate::transport::{Received, SharedTransport, Transport};

/// A message is signalled after `ack_wait / 3`; the keeper looks twice as often.
const LOOKS_PER_ACK_WAIT: u32 = 6;

/// The shortest pause between two looks.
const LOOK_MIN: Duration = Duration::from_millis(20);

/// So many looks without one are a gap.
const GAP_LOOKS: u32 = 2;

/// How many places are kept while nothing is in hand.
const PLACES_KEPT: usize = 4096;

/// This process has not slept.
const AWAKE: u64 = u64::MAX;

/// How long the server may take to answer after a gap.
const ROUND_TRIP_LIMIT: Duration = Duration::from_secs(2);

/// Every delivery in hand of one application.
#[derive(Debug)]
pub(crate) struct Keeper {
    clock: SharedClock,
    look: Duration,
    next_id: AtomicU64,
    /// When it last looked, in nanoseconds of the monotonic clock.
    looked_ns: AtomicU64,
    /// When it looked before this process was stopped, until what arrived meanwhile is taken in; as `looked_ns`, or
    /// [`AWAKE`].
    slept_since_ns: AtomicU64,
    hands: Mutex<Slab<Arc<InHand>>>,
}

impl Keeper {
    /// A keeper for subscribers whose shortest `ack_wait` is given.
    pub(crate) fn new(clock: SharedClock, ack_wait_min: Duration) -> Self {
        let look = (ack_wait_min / LOOKS_PER_ACK_WAIT).max(LOOK_MIN);
        let looked_ns = AtomicU64::new(nanos(clock.monotonic()));
        Self {
            clock,
            look,
            next_id: AtomicU64::new(0),
            looked_ns,
            slept_since_ns: AtomicU64::new(AWAKE),
            hands: Mutex::default(),
        }
    }

    fn hands(&self) -> MutexGuard<'_, Slab<Arc<InHand>>> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a delivery into hand.
    pub(super) fn hold(&self, holder: Holder<'_>, received: Received) -> Arc<InHand> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let hand = Arc::new(InHand::new(id, holder, received, self.arrived_at()));
        let mut hands = self.hands();
        let place = hands.insert(hand.clone());
        hand.set_place(place);
        drop(hands);
        hand
    }

    /// Lets go of a delivery that is being answered.
    pub(super) fn forget(&self, hand: &InHand) {
        let (mut hands, place) = (self.hands(), hand.place());
        // Let go of before, its place may be another's.
        if hands.get(place).is_some_and(|held| held.id() == hand.id()) {
            hands.remove(place);
        }
        // Each look walks through all places, also those that one burst has made.
        if hands.is_empty() && hands.capacity() > PLACES_KEPT {
            *hands = Slab::new();
        }
    }

    /// How many deliveries are in hand.
    pub(crate) fn len(&self) -> usize {
        self.hands().len()
    }

    /// The deliveries of one subscriber that are still in hand, in the order in which they came.
    pub(super) fn of(&self, subscriber: usize) -> Vec<Arc<InHand>> {
        self.those(|hand| hand.subscriber() == subscriber)
    }

    /// Those in hand that `are` wanted, in the order in which they came.
    fn those(&self, are: impl Fn(&InHand) -> bool) -> Vec<Arc<InHand>> {
        let mut those: Vec<Arc<InHand>> =
            self.hands().iter().filter(|(_, hand)| are(hand)).map(|(_, hand)| hand.clone()).collect();
        those.sort_unstable_by_key(|hand| hand.id());
        those
    }

    /// The earliest moment at which the server may have delivered what arrives now. A process that was stopped, and goes
    /// on, finds in its socket what was delivered while it slept.
    fn arrived_at(&self) -> Duration {
        let (now, looked) = (self.clock.monotonic(), self.looked());
        match self.slept_since_ns.load(Ordering::Acquire) {
            AWAKE if self.is_gap(looked, now) => looked,
            AWAKE => now,
            slept_since => Duration::from_nanos(slept_since),
        }
    }

    fn looked(&self) -> Duration {
        Duration::from_nanos(self.looked_ns.load(Ordering::Relaxed))
    }

    /// Whether so much time between two looks means that this process did not run.
    fn is_gap(&self, looked: Duration, now: Duration) -> bool {
        now.saturating_sub(looked) > self.look * GAP_LOOKS
    }

    /// Looks at the clock, and signals, for ever; the caller ends it by dropping the future. `stream` is one that a
    /// question to the server may be about.
    pub(crate) async fn run(&self, transport: SharedTransport, acks: &Acks, stream: &str) {
        futures::join!(self.watch(transport.as_ref(), acks, stream), self.signal_all(&transport));
    }

    /// Hands over what waits, and notices that this process was stopped and goes on.
    async fn watch(&self, transport: &dyn Transport, acks: &Acks, stream: &str) {
        loop {
            self.clock.sleep(self.look).await;
            // A handler that blocks keeps its worker from it.
            acks.hand_over(transport);
            let (now, looked) = (self.clock.monotonic(), self.looked());
            self.looked_ns.store(nanos(now), Ordering::Relaxed);
            if self.is_gap(looked, now) {
                tracing::warn!(gap = ?(now - looked), "this process did not run for a while");
                self.slept_since_ns.store(nanos(looked), Ordering::Release);
                // The answer comes behind everything that was delivered before it.
                let _ = transport.flush(stream, ROUND_TRIP_LIMIT).await;
                self.clock.sleep(LOOK_MIN).await;
                self.slept_since_ns.store(AWAKE, Ordering::Release);
                self.looked_ns.store(nanos(self.clock.monotonic()), Ordering::Relaxed);
            }
        }
    }

    /// One round for each subscriber at a time: a consumer that does not answer holds up no other.
    async fn signal_all(&self, transport: &SharedTransport) {
        let (mut rounds, mut under_way) = (FuturesUnordered::new(), BTreeSet::new());
        loop {
            let mut look = self.clock.sleep(self.look);
            loop {
                tokio::select! {
                    biased;
                    Some(subscriber) = rounds.next(), if !rounds.is_empty() => {
                        under_way.remove(&subscriber);
                    }
                    () = &mut look => break,
                }
            }
            for (subscriber, due) in self.due() {
                if under_way.insert(subscriber) {
                    rounds.push(self.signal(transport.as_ref(), due).map(move |()| subscriber));
                }
            }
        }
    }

    /// What is due, for each subscriber.
    fn due(&self) -> BTreeMap<usize, Vec<Arc<InHand>>> {
        let now = self.clock.monotonic();
        let mut due: BTreeMap<usize, Vec<Arc<InHand>>> = BTreeMap::new();
        for hand in self.those(|hand| hand.wants_signal(now)) {
            due.entry(hand.subscriber()).or_default().push(hand);
        }
        due
    }

    async fn signal(&self, transport: &dyn Transport, due: Vec<Arc<InHand>>) {
        // The server restarts its clock when the signal arrives, which is after this moment: the deadline is safe.
        let at = self.clock.monotonic();
        let tokens: Vec<String> = due.iter().map(|hand| hand.token().to_owned()).collect();
        match transport.in_progress(&tokens).await {
            Ok(()) => due.iter().for_each(|hand| hand.note_signal(at)),
            Err(error) => {
                tracing::error!(%error, messages = due.len(), "in-progress signals are not certain to have arrived")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::PausedClock;
    use crate::consume::in_hand::tests::received;
    use crate::metrics::DeliveryMetrics;

    #[tokio::test]
    async fn who_lets_go_twice_takes_nothing_from_another() {
        let keeper = Keeper::new(PausedClock::shared(), Duration::from_secs(30));
        let metrics = Arc::new(DeliveryMetrics::silent());
        let hold =
            |index| keeper.hold(Holder { index, ack_wait: Duration::from_secs(30), metrics: &metrics }, received());
        let first = hold(0);
        keeper.forget(&first);
        let second = hold(0);
        assert_eq!(first.place(), second.place(), "its place is free again");
        keeper.forget(&first);
        assert_eq!(keeper.len(), 1);
        let (third, _other) = (hold(0), hold(1));
        keeper.forget(&second);
        let fourth = hold(0);
        assert!(fourth.place() < third.place());
        let ids: Vec<u64> = keeper.of(0).iter().map(|hand| hand.id()).collect();
        assert_eq!(ids, [third.id(), fourth.id()], "in the order in which they came");
    }
}
