//! The worker of one subscriber: runs handlers, no more at once than `concurrency`, on the application's runtime.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::acks::Handover;
use super::answer::release;
use super::in_hand::InHand;
use super::incoming;
use super::lanes::{Entered, Key, Lanes};
use super::polls::Counted;
use super::run::{Ended, run};
use super::subscriber::Subscriber;

/// The worker of one subscriber.
pub(crate) struct Worker {
    subscriber: Arc<Subscriber>,
    intake: UnboundedReceiver<Arc<InHand>>,
    lanes: Lanes,
}

/// What becomes of a delivery.
enum Job {
    Run(Option<Key>, Arc<InHand>),
    Release(Arc<InHand>),
}

impl Job {
    fn hand(&self) -> &InHand {
        match self {
            Self::Run(_, hand) | Self::Release(hand) => hand,
        }
    }
}

/// The most places of runs that are kept.
const PLACES_MAX: usize = 8;

/// Of a job that has ended.
type Worked = (Option<Key>, Ended);

impl Worker {
    pub(crate) fn new(subscriber: Arc<Subscriber>, intake: UnboundedReceiver<Arc<InHand>>) -> Self {
        Self { subscriber, intake, lanes: Lanes::default() }
    }

    /// Works until the intake has ended and everything it took is handled, or until `cut`; then gives back the rest.
    pub(crate) async fn run(mut self, cut: CancellationToken) {
        let concurrency = self.subscriber.plan.settings.concurrency as usize;
        let mut open = true;
        let subscriber = self.subscriber.clone();
        let begin = |place, job: Job| {
            Counted::new(&subscriber.polls, job.hand().sequence(), place, || work_on(&subscriber, job))
        };
        let mut running = FuturesUnordered::new();
        // A run is large: they follow each other in the same places.
        let mut places = Vec::with_capacity(PLACES_MAX);
        let mut handover = Handover::new(subscriber.clone());
        // Listened to where there is nothing to do: for each message it is enough to ask, which takes less.
        let (is_cut, mut cut) = (&cut, pin!(cut.cancelled()));
        while (open || !running.is_empty()) && !is_cut.is_cancelled() {
            let busy = running.len().saturating_sub(subscriber.parking.len());
            tokio::select! {
                biased;
                Some(((key, ended), place)) = running.next(), if !running.is_empty() => {
                    keep(&mut places, place);
                    self.ended(key, ended).into_iter().for_each(|job| running.push(begin(places.pop(), job)));
                }
                hand = self.intake.recv(), if open && busy < concurrency => match hand {
                    Some(hand) => if let Some(job) = self.begin(hand) {
                        let mut begun = begin(places.pop(), job);
                        match futures::poll!(&mut begun) {
                            Poll::Ready(((key, ended), place)) => {
                                keep(&mut places, place);
                                let next = self.ended(key, ended).into_iter();
                                next.for_each(|job| running.push(begin(places.pop(), job)));
                            }
                            Poll::Pending => running.push(begun),
                        }
                    },
                    None => open = false,
                },
                () = subscriber.parking.entered() => {}
                () = &mut cut => break,
                // There is nothing more to do now.
                () = handover.at_end_of_pass() => {}
            }
        }
        // Handlers are dropped first, so that nothing runs here when it is delivered to somebody else.
        while !running.is_empty() {
            // What the user's code does when it is dropped may panic; each round drops at least one handler.
            let _ = std::panic::catch_unwind(AssertUnwindSafe(|| running.clear()));
        }
        self.release_rest().await;
        subscriber.shared.acks.hand_over(subscriber.shared.transport.as_ref());
    }

    /// What becomes of a delivery: it runs at once, or when those before it in its lane have ended.
    fn begin(&mut self, hand: Arc<InHand>) -> Option<Job> {
        match incoming::key(&self.subscriber, &hand) {
            None => Some(Job::Run(None, hand)),
            Some(key) => match self.lanes.enter(&key, hand) {
                Entered::Runs(hand) => Some(Job::Run(Some(key), hand)),
                Entered::Waits => None,
                Entered::Closed(hand) => Some(Job::Release(hand)),
            },
        }
    }

    /// What begins now.
    fn ended(&mut self, key: Option<Key>, ended: Ended) -> Vec<Job> {
        let Some(key) = key else { return Vec::new() };
        match ended {
            Ended::Settled => self.lanes.leave(&key).map(|hand| Job::Run(Some(key), hand)).into_iter().collect(),
            Ended::Released => self.lanes.close(&key).into_iter().map(Job::Release).collect(),
        }
    }

    /// Gives back everything that did not end.
    async fn release_rest(&mut self) {
        self.lanes.clear();
        // The intake ends within a time limit of its own; what it took by then is in the keeper's table.
        while self.intake.recv().await.is_some() {}
        let held = self.subscriber.shared.keeper.of(self.subscriber.index);
        join_all(held.iter().map(|hand| release(&self.subscriber, hand))).await;
    }
}

/// Keeps the place of a run that has ended for another.
fn keep<P>(places: &mut Vec<P>, place: P) {
    if places.len() < PLACES_MAX {
        places.push(place);
    }
}

/// Carries a job out.
async fn work_on(subscriber: &Subscriber, job: Job) -> Worked {
    match job {
        Job::Run(key, hand) => (key, run(subscriber, &hand).await),
        Job::Release(hand) => {
            release(subscriber, &hand).await;
            (None, Ended::Released)
        }
    }
}
