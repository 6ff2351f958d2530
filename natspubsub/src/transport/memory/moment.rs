//! One look at the clock.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;

/// The same instant on both clocks: deadlines are kept on the one that nobody sets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) since: Duration,
    pub(super) wall: Timestamp,
}

impl Moment {
    pub(super) fn of(clock: &dyn Clock) -> Self {
        Self { since: clock.monotonic(), wall: clock.now() }
    }

    /// What was due earlier happens at its own time, also when nobody looked then.
    pub(super) fn back_at(self, due: Duration) -> Self {
        let late = self.since.saturating_sub(due);
        Self { since: self.since - late, wall: self.wall.checked_sub(late).unwrap_or(self.wall) }
    }

    /// When it will be this time of day.
    pub(super) fn when(self, wall: Timestamp) -> Duration {
        self.since + Duration::try_from(wall.duration_since(self.wall)).unwrap_or(Duration::ZERO)
    }
}
