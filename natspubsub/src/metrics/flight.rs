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
    /// `None` where nobody counts.
    metrics: Option<Arc<DeliveryMetrics>>,
    arrived: Duration,
    has_begun: AtomicBool,
    has_ended: AtomicBool,
}

impl Flight {
    /// A delivery of so many bytes arrived at `now`.
    pub(crate) fn new(metrics: &Arc<DeliveryMetrics>, size: usize, is_redelivery: bool, now: Duration) -> Self {
        metrics.arrived(size, is_redelivery);
        Self::of_arrived(metrics, now)
    }

    /// A delivery that arrived at `now`, and was counted then.
    pub(crate) fn of_arrived(metrics: &Arc<DeliveryMetrics>, now: Duration) -> Self {
        let metrics = metrics.is_recorded().then(|| metrics.clone());
        Self { metrics, arrived: now, has_begun: AtomicBool::new(false), has_ended: AtomicBool::new(false) }
    }

    /// Its handler begins. One that is held and run again has not waited for its turn.
    pub(crate) fn begin(&self, now: Duration) {
        let Some(metrics) = &self.metrics else { return };
        if !self.has_begun.swap(true, Ordering::Relaxed) {
            metrics.waited(now.saturating_sub(self.arrived));
        }
    }

    /// It ends; the first end counts.
    pub(crate) fn end(&self, ending: Ending) {
        let Some(metrics) = &self.metrics else { return };
        if !self.has_ended.swap(true, Ordering::Relaxed) {
            metrics.ended(ending);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.end(Ending::Unanswered);
    }
}
