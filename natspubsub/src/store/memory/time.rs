//! The clock of the database in memory.

use std::time::Duration;

use crate::clock::SharedClock;

/// Time since the store was made, by a clock that can be replaced.
pub(super) struct Time {
    clock: SharedClock,
    /// What its clock said when it began to use it.
    since: Duration,
    /// What had passed then.
    before: Duration,
}

impl Time {
    pub(super) fn on(clock: SharedClock) -> Self {
        Self { since: clock.monotonic(), before: Duration::ZERO, clock }
    }

    pub(super) fn now(&self) -> Duration {
        self.before + self.clock.monotonic().saturating_sub(self.since)
    }

    pub(super) fn go_on_by(&mut self, clock: SharedClock) {
        *self = Self { before: self.now(), since: clock.monotonic(), clock };
    }
}
