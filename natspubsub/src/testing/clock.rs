//! Virtual time: it stands still until everybody waits, and then moves to the next timer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::dice::Dice;
use crate::clock::Clock;

/// The clock of a test: that of a tokio runtime whose time is paused. It goes on when the runtime is replaced, as after a
/// crash.
#[derive(Debug)]
pub(super) struct VirtualClock {
    /// The time of day at its beginning.
    epoch: Timestamp,
    era: Mutex<Era>,
    dice: Dice,
}

/// The time on one runtime.
#[derive(Debug)]
struct Era {
    /// What has passed before.
    before: Duration,
    /// `None` between two runtimes.
    runtime: Option<(Handle, Instant)>,
}

impl Era {
    fn elapsed(&self) -> Duration {
        let on_this = self.runtime.as_ref().map(|(handle, since)| {
            let _on_runtime = handle.enter();
            since.elapsed()
        });
        self.before + on_this.unwrap_or_default()
    }
}

impl VirtualClock {
    pub(super) fn new(epoch: Timestamp, dice: Dice) -> Self {
        Self { epoch, era: Mutex::new(Era { before: Duration::ZERO, runtime: None }), dice }
    }

    fn era(&self) -> MutexGuard<'_, Era> {
        self.era.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time passes on this runtime from now on.
    pub(super) fn enter(&self, handle: &Handle) {
        let _on_runtime = handle.enter();
        self.era().runtime = Some((handle.clone(), Instant::now()));
    }

    /// Time stands still until the next runtime.
    pub(super) fn leave(&self) {
        let mut era = self.era();
        era.before = era.elapsed();
        era.runtime = None;
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.epoch.saturating_add(self.monotonic()).unwrap_or(Timestamp::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.era().elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let era = self.era();
        match &era.runtime {
            Some((handle, _)) => {
                let _on_runtime = handle.enter();
                tokio::time::sleep(duration).boxed()
            }
            None => std::future::pending().boxed(),
        }
    }

    fn random(&self) -> u64 {
        self.dice.roll()
    }
}
