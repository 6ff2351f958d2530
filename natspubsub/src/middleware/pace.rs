//! So many in a time: who comes too early waits for its turn, in the order of coming.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Mutex;

use crate::clock::Clock;

/// A pace: so many at once at most, then evenly spread.
pub(crate) struct Pace {
    limiter: RateLimiter<NotKeyed, InMemoryState, Told, NoOpMiddleware<Duration>>,
    told: Told,
    /// One at a time looks whether it is its turn; the others wait behind it.
    line: Mutex<()>,
}

impl Pace {
    /// `count` is at least 1.
    pub(crate) fn new(count: u32, per: Duration) -> Self {
        let count = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let step = (per / count.get()).max(Duration::from_nanos(1));
        let told = Told::default();
        let quota = Quota::with_period(step).unwrap_or(Quota::per_second(count)).allow_burst(count);
        Self { limiter: RateLimiter::direct_with_clock(quota, told.clone()), told, line: Mutex::new(()) }
    }

    /// Waits for the turn.
    pub(crate) async fn turn(&self, clock: &dyn Clock) {
        let _first = self.line.lock().await;
        loop {
            let now = self.told.tell(clock.monotonic());
            match self.limiter.check() {
                Ok(()) => return,
                Err(early) => clock.sleep(early.earliest_possible().saturating_sub(now)).await,
            }
        }
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace").finish_non_exhaustive()
    }
}

/// The time that the limiter was last told: its clock is that of whoever asks.
#[derive(Debug, Clone, Default)]
struct Told(Arc<AtomicU64>);

impl Told {
    fn tell(&self, now: Duration) -> Duration {
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.0.fetch_max(nanos, Ordering::Relaxed).max(nanos))
    }
}

impl GovernorClock for Told {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::PausedClock;

    #[tokio::test(start_paused = true)]
    async fn an_allowance_is_taken_at_once_and_then_spread() {
        let clock = PausedClock::shared();
        let pace = Pace::new(10, Duration::from_secs(1));
        let mut taken = Vec::new();
        for _ in 0..13 {
            pace.turn(&*clock).await;
            taken.push(clock.monotonic().as_millis());
        }
        assert_eq!(&taken[..10], [0; 10]);
        // The timer of tokio ticks in milliseconds.
        for (turn, wanted) in taken[10..].iter().zip([100, 200, 300]) {
            assert!(turn.abs_diff(wanted) <= 3, "{taken:?}");
        }
        clock.sleep(Duration::from_secs(10)).await;
        let before = clock.monotonic();
        for _ in 0..10 {
            pace.turn(&*clock).await;
        }
        assert_eq!(clock.monotonic(), before, "it comes back");
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_have_their_turn_in_the_order_of_coming() {
        let clock = PausedClock::shared();
        let pace = Pace::new(1, Duration::from_millis(100));
        let order = std::sync::Mutex::new(Vec::new());
        let turn = async |number: u32| {
            pace.turn(&*clock).await;
            order.lock().unwrap().push(number);
        };
        futures::join!(turn(0), turn(1), turn(2), turn(3));
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3]);
    }
}
