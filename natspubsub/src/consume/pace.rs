//! `rate_limit`: deliveries wait in hand, kept alive, until it is their turn.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::registry::RateOption;

/// The pace of one subscriber: so many at once at most, then evenly spread.
#[derive(Debug)]
pub(super) struct Pace {
    option: RateOption,
    /// When the allowance would be whole again if nobody came (the generic cell rate algorithm).
    whole_at: Mutex<Duration>,
}

impl Pace {
    pub(super) fn new(option: RateOption) -> Self {
        Self { option, whole_at: Mutex::new(Duration::ZERO) }
    }

    /// Waits for the turn.
    pub(super) async fn turn(&self, clock: &dyn Clock) {
        let pause = self.take(clock.monotonic());
        if !pause.is_zero() {
            clock.sleep(pause).await;
        }
    }

    /// Takes the next turn; how long it is away.
    fn take(&self, now: Duration) -> Duration {
        let per = Duration::from_nanos(self.option.per_ns);
        let step = per / self.option.count;
        let mut whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        *whole_at = (*whole_at).max(now) + step;
        // A whole allowance may be taken at once.
        whole_at.saturating_sub(per).saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_taken_at_once_and_then_spread() {
        let pace = Pace::new(RateOption { count: 10, per_ns: 1_000_000_000 });
        let start = Duration::from_secs(100);
        let pauses: Vec<u128> = (0..13).map(|_| pace.take(start).as_millis()).collect();
        assert_eq!(&pauses[..10], [0; 10]);
        assert_eq!(&pauses[10..], [100, 200, 300]);
        assert_eq!(pace.take(start + Duration::from_secs(10)), Duration::ZERO, "it comes back");
    }
}
