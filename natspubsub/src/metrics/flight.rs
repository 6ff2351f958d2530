//! One delivery between its arrival and its end: counted in once and out once, whatever becomes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::delivery::DeliveryMetrics;
use super::values::Ending;

/// A delivery in flight. So that `deliveries = settlements + in flight` holds always, both sides are counted here and
/// nowhere else: what is dropped without an end, by a panic or with its application, is unanswered.
#[derive(Debug)]
pub(crate) struct Flight {
    metrics: Arc<DeliveryMetrics>,
    arrived: Duration,
    has_begun: AtomicBool,
    has_ended: AtomicBool,
}

impl Flight {
    /// A delivery of so many bytes arrived at `now`.
    pub(crate) fn new(metrics: Arc<DeliveryMetrics>, size: usize, is_redelivery: bool, now: Duration) -> Self {
        metrics.arrived(size, is_redelivery);
        Self { metrics, arrived: now, has_begun: AtomicBool::new(false), has_ended: AtomicBool::new(false) }
    }

    /// Its handler begins. One that is held and run again has not waited for its turn.
    pub(crate) fn begin(&self, now: Duration) {
        if !self.has_begun.swap(true, Ordering::Relaxed) {
            self.metrics.waited(now.saturating_sub(self.arrived));
        }
    }

    /// It ends; the first end counts.
    pub(crate) fn end(&self, ending: Ending) {
        if !self.has_ended.swap(true, Ordering::Relaxed) {
            self.metrics.ended(ending);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.end(Ending::Unanswered);
    }
}
