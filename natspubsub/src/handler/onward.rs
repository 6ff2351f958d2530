//! The rest of a chain as a value that borrows nothing, for services that live longer than a call.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use super::chain::{Chain, Next, Running};
use super::cut::Cut;
use super::delivery::Delivery;
use super::outcome::Outcome;
use super::target::ReplySlot;

/// What lies further in, of one run. It travels in the delivery.
#[derive(Clone)]
pub(crate) struct Onward(Arc<Rest>);

struct Rest {
    chain: Arc<Chain>,
    at: usize,
    cut: Cut,
    slot: ReplySlot,
}

impl Onward {
    /// Calls what lies further in and returns its outcome.
    pub(crate) async fn run(self, delivery: Delivery) -> Outcome {
        let Rest { chain, at, cut, slot } = &*self.0;
        Next { chain, at: *at, call: Running { cut, slot: Some(slot) } }.run(delivery).await
    }
}

impl fmt::Debug for Onward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Onward")
    }
}

impl Next<'_> {
    /// Runs a call that finds the rest of the chain in its delivery.
    pub(crate) async fn run_through<F>(self, mut delivery: Delivery, call: impl FnOnce(Delivery) -> F) -> Outcome
    where
        F: Future<Output = Outcome>,
    {
        let Running { cut, slot } = self.call;
        let (chain, own) = (self.chain.clone(), Cut::new(cut.limit));
        let onward = Onward(Arc::new(Rest { chain, at: self.at, cut: own, slot: ReplySlot::default() }));
        delivery.set_onward(onward.clone());
        let mut work = pin!(call(delivery));
        let outcome = poll_fn(|context| {
            // When the time of the borrowed run is over, that of the owned one is.
            if cut.poll_is_over(context) {
                onward.0.cut.end();
            }
            work.as_mut().poll(context)
        });
        let outcome = outcome.await;
        if let (Some(slot), Some(reply)) = (slot, onward.0.slot.take()) {
            slot.put(reply);
        }
        outcome
    }
}
