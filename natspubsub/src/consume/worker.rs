//! The worker of one subscriber: runs handlers, no more at once than `concurrency`, on the application's runtime.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::future::join_all;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

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
    running: FuturesUnordered<Counted<(Option<Key>, Ended)>>,
    lanes: Lanes,
}

impl Worker {
    pub(crate) fn new(subscriber: Arc<Subscriber>, intake: UnboundedReceiver<Arc<InHand>>) -> Self {
        Self { subscriber, intake, running: FuturesUnordered::new(), lanes: Lanes::default() }
    }

    /// Works until the intake has ended and everything it took is handled, or until `cut`; then gives back the rest.
    pub(crate) async fn run(mut self, cut: CancellationToken) {
        let concurrency = self.subscriber.plan.settings.concurrency as usize;
        let mut open = true;
        let subscriber = self.subscriber.clone();
        while open || !self.running.is_empty() {
            let busy = self.running.len().saturating_sub(subscriber.parking.len());
            tokio::select! {
                biased;
                () = cut.cancelled() => break,
                Some((key, ended)) = self.running.next(), if !self.running.is_empty() => self.ended(key, ended),
                hand = self.intake.recv(), if open && busy < concurrency => match hand {
                    Some(hand) => self.begin(hand),
                    None => open = false,
                },
                () = subscriber.parking.entered() => {}
            }
        }
        self.release_rest().await;
    }

    /// Runs a delivery, at once or when those before it in its lane have ended.
    fn begin(&mut self, hand: Arc<InHand>) {
        match incoming::key(&self.subscriber, &hand) {
            None => self.push(None, hand),
            Some(key) => match self.lanes.enter(&key, hand) {
                Entered::Runs(hand) => self.push(Some(key), hand),
                Entered::Waits => {}
                Entered::Closed(hand) => self.push_release(hand),
            },
        }
    }

    fn ended(&mut self, key: Option<Key>, ended: Ended) {
        let Some(key) = key else { return };
        match ended {
            Ended::Settled => {
                if let Some(hand) = self.lanes.leave(&key) {
                    self.push(Some(key), hand);
                }
            }
            Ended::Released => self.lanes.close(&key).into_iter().for_each(|hand| self.push_release(hand)),
        }
    }

    fn push(&mut self, key: Option<Key>, hand: Arc<InHand>) {
        let (subscriber, sequence) = (self.subscriber.clone(), hand.sequence());
        let run = run(subscriber.clone(), hand).map(|ended| (key, ended)).boxed();
        self.running.push(Counted { subscriber, sequence, run });
    }

    fn push_release(&mut self, hand: Arc<InHand>) {
        let (subscriber, sequence) = (self.subscriber.clone(), hand.sequence());
        let holder = subscriber.clone();
        let run = async move {
            release(&holder, &hand).await;
            (None, Ended::Released)
        };
        self.running.push(Counted { subscriber, sequence, run: run.boxed() });
    }

    /// Gives back everything that did not end: handlers are dropped first, so that nothing runs here when it is
    /// delivered to somebody else.
    async fn release_rest(&mut self) {
        while !self.running.is_empty() {
            // What the user's code does when it is dropped may panic; each round drops at least one handler.
            let _ = std::panic::catch_unwind(AssertUnwindSafe(|| self.running.clear()));
        }
        self.lanes.clear();
        // The intake ends within a time limit of its own; what it took by then is in the keeper's table.
        while self.intake.recv().await.is_some() {}
        let held = self.subscriber.shared.keeper.of(self.subscriber.index);
        join_all(held.iter().map(|hand| release(&self.subscriber, hand))).await;
    }
}
