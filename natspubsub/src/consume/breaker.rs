//! The circuit breaker of one subscriber: after failures it lets nothing run for a while, then tries with one.
//!
//! While it is open, pulling stops and what is in hand is held, kept alive by in-progress signals: nothing is given
//! back, and nothing uses up an attempt.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{Clock, timeout};
use crate::registry::BreakerOption;

/// Successes that close a breaker which an infrastructure failure opened.
const HALF_OPEN: u32 = 1;

/// How a run ended, as far as the breaker looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Success,
    Failure,
    /// What every message needs is down; try again after the pause.
    Down {
        pause: Duration,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Failures in a row.
    Closed {
        failures: u32,
    },
    Open {
        until: Duration,
    },
    /// One run at a time; successes in a row.
    HalfOpen {
        successes: u32,
        wanted: u32,
        trying: bool,
    },
}

/// The breaker of one subscriber.
#[derive(Debug)]
pub(super) struct Breaker {
    /// Without it, only infrastructure failures open the breaker.
    option: Option<BreakerOption>,
    state: Mutex<State>,
    changed: Notify,
}

/// The permission for one run.
#[must_use]
pub(super) struct Permit<'a> {
    breaker: &'a Breaker,
    is_trial: bool,
    used: bool,
}

impl Breaker {
    pub(super) fn new(option: Option<BreakerOption>) -> Self {
        Self { option, state: Mutex::new(State::Closed { failures: 0 }), changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether everything may be pulled; if not, one message for the trial may be, after the pause.
    pub(super) fn pulls_again_in(&self, now: Duration) -> Option<Duration> {
        match *self.state() {
            State::Closed { .. } => None,
            State::Open { until } => Some(until.saturating_sub(now)),
            State::HalfOpen { .. } => Some(Duration::ZERO),
        }
    }

    /// Ends when the state may have changed; listen before looking.
    pub(super) fn changed(&self) -> &Notify {
        &self.changed
    }

    /// Waits until a run is permitted.
    pub(super) async fn admit(&self, clock: &dyn Clock) -> Permit<'_> {
        // Closed almost always: the way of a message listens to nothing.
        if let Ok(permit) = self.try_admit(clock.monotonic()) {
            return permit;
        }
        loop {
            let bell = self.changed.notified();
            let mut bell = std::pin::pin!(bell);
            bell.as_mut().enable();
            let pause = match self.try_admit(clock.monotonic()) {
                Ok(permit) => return permit,
                Err(pause) => pause,
            };
            match pause {
                Some(pause) => drop(timeout(clock, pause, bell).await),
                None => bell.await,
            }
        }
    }

    /// A permission, or how long there is none for sure.
    fn try_admit(&self, now: Duration) -> Result<Permit<'_>, Option<Duration>> {
        let mut state = self.state();
        let is_trial = match *state {
            State::Closed { .. } => false,
            State::Open { until } if now < until => return Err(Some(until - now)),
            State::Open { .. } => {
                let wanted = self.option.map_or(HALF_OPEN, |option| option.half_open);
                *state = State::HalfOpen { successes: 0, wanted, trying: true };
                true
            }
            State::HalfOpen { trying: true, .. } => return Err(None),
            State::HalfOpen { successes, wanted, trying: false } => {
                *state = State::HalfOpen { successes, wanted, trying: true };
                true
            }
        };
        Ok(Permit { breaker: self, is_trial, used: false })
    }

    /// The state after a run; `true` when the breaker opened by it.
    fn note(&self, is_trial: bool, verdict: Verdict, now: Duration) -> bool {
        let mut state = self.state();
        let before = *state;
        *state = match (before, verdict) {
            // A run that began before the breaker opened says nothing new.
            (State::Open { .. } | State::HalfOpen { .. }, _) if !is_trial => before,
            (_, Verdict::Down { pause }) => State::Open { until: now + pause },
            (State::Closed { .. }, Verdict::Success) => State::Closed { failures: 0 },
            (State::Closed { failures }, Verdict::Failure) => match self.option {
                Some(option) if failures + 1 >= option.failures => State::Open { until: now + open(option) },
                _ => State::Closed { failures: failures.saturating_add(1) },
            },
            (State::HalfOpen { successes, wanted, .. }, Verdict::Success) if successes + 1 >= wanted => {
                State::Closed { failures: 0 }
            }
            (State::HalfOpen { successes, wanted, .. }, Verdict::Success) => {
                State::HalfOpen { successes: successes + 1, wanted, trying: false }
            }
            (State::HalfOpen { .. }, Verdict::Failure) => match self.option {
                Some(option) => State::Open { until: now + open(option) },
                // What was down is there again; the failure is the message's own.
                None => State::Closed { failures: 0 },
            },
            (State::Open { .. }, _) => before,
        };
        let changed =
            *state != before && !(matches!(before, State::Closed { .. }) && matches!(*state, State::Closed { .. }));
        let opened = changed && matches!(*state, State::Open { .. });
        drop(state);
        if changed {
            self.changed.notify_waiters();
        }
        opened
    }
}

fn open(option: BreakerOption) -> Duration {
    Duration::from_nanos(option.open_ns)
}

impl Permit<'_> {
    /// Notes how the run ended; `true` when the breaker opened by it.
    pub(super) fn ended(mut self, verdict: Verdict, now: Duration) -> bool {
        self.used = true;
        self.breaker.note(self.is_trial, verdict, now)
    }
}

impl Drop for Permit<'_> {
    /// A run that is cut off lets the next one try.
    fn drop(&mut self) {
        if self.used || !self.is_trial {
            return;
        }
        let mut state = self.breaker.state();
        if let State::HalfOpen { successes, wanted, trying: true } = *state {
            *state = State::HalfOpen { successes, wanted, trying: false };
        }
        drop(state);
        self.breaker.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTION: BreakerOption = BreakerOption { failures: 2, open_ns: 10_000_000_000, half_open: 2 };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn run(breaker: &Breaker, verdict: Verdict, now: u64) -> bool {
        breaker.try_admit(at(now)).map(|permit| permit.ended(verdict, at(now))).unwrap_or_else(|_| panic!("not let in"))
    }

    #[test]
    fn failures_in_a_row_open_it_and_successes_in_a_row_close_it() {
        let breaker = Breaker::new(Some(OPTION));
        assert!(!run(&breaker, Verdict::Failure, 0));
        assert!(!run(&breaker, Verdict::Success, 0), "a success begins the count anew");
        assert!(!run(&breaker, Verdict::Failure, 0));
        assert!(run(&breaker, Verdict::Failure, 0));
        assert_eq!(breaker.try_admit(at(4)).err(), Some(Some(at(6))), "open for 10 s");
        let trial = breaker.try_admit(at(10)).unwrap_or_else(|_| panic!("half-open"));
        assert_eq!(breaker.try_admit(at(10)).err(), Some(None), "one trial at a time");
        assert!(!trial.ended(Verdict::Success, at(10)));
        assert_eq!(breaker.pulls_again_in(at(10)), Some(Duration::ZERO), "two successes are wanted");
        run(&breaker, Verdict::Success, 11);
        assert_eq!(breaker.pulls_again_in(at(11)), None);
    }

    #[test]
    fn a_failed_trial_opens_it_again_and_a_dropped_one_lets_the_next_try() {
        let breaker = Breaker::new(Some(OPTION));
        run(&breaker, Verdict::Failure, 0);
        run(&breaker, Verdict::Failure, 0);
        drop(breaker.try_admit(at(10)));
        assert!(run(&breaker, Verdict::Failure, 10));
        assert_eq!(breaker.try_admit(at(15)).err(), Some(Some(at(5))));
    }

    #[test]
    fn infrastructure_opens_every_breaker_for_its_pause_and_one_success_closes_it() {
        let breaker = Breaker::new(None);
        for _ in 0..100 {
            assert!(!run(&breaker, Verdict::Failure, 0), "without an option failures do not open it");
        }
        let late = breaker.try_admit(at(0)).unwrap_or_else(|_| panic!());
        assert!(run(&breaker, Verdict::Down { pause: at(3) }, 0));
        assert!(!late.ended(Verdict::Success, at(1)), "a run from before says nothing");
        assert_eq!(breaker.try_admit(at(1)).err(), Some(Some(at(2))));
        run(&breaker, Verdict::Success, 3);
        assert_eq!(breaker.pulls_again_in(at(11)), None);
    }
}
