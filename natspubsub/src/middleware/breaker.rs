//! The state machine of a circuit breaker: after failures it lets nothing run for a while, then tries with one run.
//!
//! Each subscriber has one in the engine: while it is open, pulling stops and what is in hand is held, kept alive by
//! in-progress signals, so that nothing uses up an attempt. The middleware `CircuitBreaker` is the same machine, shared.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{Clock, timeout};
use crate::handler::{FailureClass, Outcome};
use crate::metrics::Circuit;
use crate::registry::BreakerOption;

/// Successes that close a breaker which an infrastructure failure opened.
const HALF_OPEN: u32 = 1;

/// A message is run again no sooner than this, whatever pause an error asks for.
const HOLD_MIN: Duration = Duration::from_millis(10);

/// A window is counted in as many parts; the oldest one is forgotten as a whole.
const PARTS: usize = 10;

/// When a breaker opens, and when it closes again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rule {
    pub(crate) trip: Trip,
    /// How long it stays open.
    pub(crate) open: Duration,
    /// Successes in a row that close it.
    pub(crate) half_open: u32,
}

/// What opens a breaker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Trip {
    /// So many failures in a row.
    InARow(u32),
    /// This share of the runs of a time, if there were enough of them.
    Rate { share: f64, window: Duration, runs_min: u32 },
}

impl From<BreakerOption> for Rule {
    fn from(BreakerOption { failures, open_ns, half_open }: BreakerOption) -> Self {
        Self { trip: Trip::InARow(failures), open: Duration::from_nanos(open_ns), half_open }
    }
}

/// How a run ended, as far as the breaker looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Success,
    Failure,
    /// What every message needs is down; try again after the pause.
    Down {
        pause: Duration,
    },
}

impl Verdict {
    /// What a breaker makes of an outcome: a message that is at fault itself says that everything else works.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let Outcome::Failed(failure) = outcome else { return Self::Success };
        match failure.class() {
            FailureClass::Infrastructure { pause } => Self::Down { pause: pause.max(HOLD_MIN) },
            FailureClass::Transient { .. }
            | FailureClass::TransientCurve { .. }
            | FailureClass::Timeout
            | FailureClass::Panic => Self::Failure,
            FailureClass::Permanent
            | FailureClass::Validation
            | FailureClass::Undecodable
            | FailureClass::Busy { .. }
            | FailureClass::Discard => Self::Success,
        }
    }
}

/// The runs of the last while, in parts.
#[derive(Debug, Default)]
struct Window([Part; PARTS]);

#[derive(Debug, Default, Clone, Copy)]
struct Part {
    /// Which part of all time it is.
    number: u64,
    runs: u32,
    failures: u32,
}

impl Window {
    /// Counts a run; whether the share of failures is too high by it.
    fn note(&mut self, failed: bool, now: Duration, rule: (f64, Duration, u32)) -> bool {
        let (share, length, runs_min) = rule;
        let part = (length / PARTS as u32).max(Duration::from_nanos(1));
        let number = u64::try_from(now.as_nanos() / part.as_nanos()).unwrap_or(u64::MAX);
        let current = &mut self.0[(number % PARTS as u64) as usize];
        if current.number != number {
            *current = Part { number, runs: 0, failures: 0 };
        }
        current.runs = current.runs.saturating_add(1);
        current.failures = current.failures.saturating_add(u32::from(failed));
        let recent = self.0.iter().filter(|part| part.number + PARTS as u64 > number);
        let (runs, failures) = recent.fold((0_u64, 0_u64), |(runs, failures), part| {
            (runs + u64::from(part.runs), failures + u64::from(part.failures))
        });
        failed && runs >= u64::from(runs_min) && failures as f64 >= share * runs as f64
    }
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

/// A circuit breaker.
#[derive(Debug)]
pub(crate) struct Breaker {
    /// Without it, only infrastructure failures open the breaker.
    rule: Option<Rule>,
    state: Mutex<State>,
    window: Mutex<Window>,
    changed: Notify,
}

/// The permission for one run.
#[must_use]
pub(crate) struct Permit<'a> {
    breaker: &'a Breaker,
    is_trial: bool,
    used: bool,
}

impl Breaker {
    pub(crate) fn new(rule: Option<Rule>) -> Self {
        Self {
            rule,
            state: Mutex::new(State::Closed { failures: 0 }),
            window: Mutex::default(),
            changed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether everything may be pulled; if not, one message for the trial may be, after the pause.
    pub(crate) fn pulls_again_in(&self, now: Duration) -> Option<Duration> {
        match *self.state() {
            State::Closed { .. } => None,
            State::Open { until } => Some(until.saturating_sub(now)),
            State::HalfOpen { .. } => Some(Duration::ZERO),
        }
    }

    /// The state as a number for metrics.
    pub(crate) fn circuit(&self) -> Circuit {
        match *self.state() {
            State::Closed { .. } => Circuit::Closed,
            State::Open { .. } => Circuit::Open,
            State::HalfOpen { .. } => Circuit::HalfOpen,
        }
    }

    /// Whether a success would change nothing, so that nobody need ask what time it is.
    fn needs_no_success(&self) -> bool {
        let counts_all_runs = matches!(self.rule, Some(Rule { trip: Trip::Rate { .. }, .. }));
        !counts_all_runs && *self.state() == (State::Closed { failures: 0 })
    }

    /// Ends when the state may have changed; listen before looking.
    pub(crate) fn changed(&self) -> &Notify {
        &self.changed
    }

    /// The permission for a run while the breaker is closed, as it is almost always: the way of a message waits for
    /// nothing, and asks for no time.
    pub(crate) fn admit_at_once(&self) -> Option<Permit<'_>> {
        let is_closed = matches!(*self.state(), State::Closed { .. });
        is_closed.then_some(Permit { breaker: self, is_trial: false, used: false })
    }

    /// Waits until a run is permitted.
    pub(crate) async fn admit(&self, clock: &dyn Clock) -> Permit<'_> {
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
    pub(crate) fn try_admit(&self, now: Duration) -> Result<Permit<'_>, Option<Duration>> {
        let mut state = self.state();
        let is_trial = match *state {
            State::Closed { .. } => false,
            State::Open { until } if now < until => return Err(Some(until - now)),
            State::Open { .. } => {
                let wanted = self.rule.map_or(HALF_OPEN, |rule| rule.half_open);
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
            (State::Closed { failures }, verdict) => self.counted(failures, verdict == Verdict::Failure, now),
            (State::HalfOpen { successes, wanted, .. }, Verdict::Success) if successes + 1 >= wanted => {
                State::Closed { failures: 0 }
            }
            (State::HalfOpen { successes, wanted, .. }, Verdict::Success) => {
                State::HalfOpen { successes: successes + 1, wanted, trying: false }
            }
            (State::HalfOpen { .. }, Verdict::Failure) => match self.rule {
                Some(rule) => State::Open { until: now + rule.open },
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

    /// The state of a closed breaker after a run.
    fn counted(&self, failures: u32, failed: bool, now: Duration) -> State {
        let failures = if failed { failures.saturating_add(1) } else { 0 };
        let opens = match self.rule {
            None => None,
            Some(Rule { trip: Trip::InARow(most), open, .. }) => (failures >= most).then_some(open),
            Some(Rule { trip: Trip::Rate { share, window, runs_min }, open, .. }) => {
                let mut runs = self.window.lock().unwrap_or_else(PoisonError::into_inner);
                let opens = runs.note(failed, now, (share, window, runs_min));
                if opens {
                    // It closes on new evidence.
                    *runs = Window::default();
                }
                opens.then_some(open)
            }
        };
        match opens {
            Some(open) => State::Open { until: now + open },
            None => State::Closed { failures },
        }
    }
}

impl Permit<'_> {
    /// Notes how the run ended; `true` when the breaker opened by it.
    pub(crate) fn ended(mut self, verdict: Verdict, now: impl FnOnce() -> Duration) -> bool {
        self.used = true;
        if !self.is_trial && verdict == Verdict::Success && self.breaker.needs_no_success() {
            return false;
        }
        self.breaker.note(self.is_trial, verdict, now())
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
        breaker
            .try_admit(at(now))
            .map(|permit| permit.ended(verdict, || at(now)))
            .unwrap_or_else(|_| panic!("not let in"))
    }

    #[test]
    fn failures_in_a_row_open_it_and_successes_in_a_row_close_it() {
        let breaker = Breaker::new(Some(OPTION.into()));
        assert!(!run(&breaker, Verdict::Failure, 0));
        assert!(!run(&breaker, Verdict::Success, 0), "a success begins the count anew");
        assert!(!run(&breaker, Verdict::Failure, 0));
        assert!(run(&breaker, Verdict::Failure, 0));
        assert_eq!(breaker.try_admit(at(4)).err(), Some(Some(at(6))), "open for 10 s");
        let trial = breaker.try_admit(at(10)).unwrap_or_else(|_| panic!("half-open"));
        assert_eq!(breaker.try_admit(at(10)).err(), Some(None), "one trial at a time");
        assert!(!trial.ended(Verdict::Success, || at(10)));
        assert_eq!(breaker.pulls_again_in(at(10)), Some(Duration::ZERO), "two successes are wanted");
        run(&breaker, Verdict::Success, 11);
        assert_eq!(breaker.pulls_again_in(at(11)), None);
    }

    #[test]
    fn a_failed_trial_opens_it_again_and_a_dropped_one_lets_the_next_try() {
        let breaker = Breaker::new(Some(OPTION.into()));
        run(&breaker, Verdict::Failure, 0);
        run(&breaker, Verdict::Failure, 0);
        drop(breaker.try_admit(at(10)));
        assert!(run(&breaker, Verdict::Failure, 10));
        assert_eq!(breaker.try_admit(at(15)).err(), Some(Some(at(5))));
    }

    #[test]
    fn a_share_of_failures_opens_it_and_old_runs_are_forgotten() {
        let trip = Trip::Rate { share: 0.5, window: at(10), runs_min: 4 };
        let breaker = Breaker::new(Some(Rule { trip, open: at(10), half_open: 1 }));
        for second in 0..3 {
            assert!(!run(&breaker, Verdict::Failure, second), "too few runs say nothing");
        }
        for second in [30, 31, 32, 33] {
            assert!(!run(&breaker, Verdict::Success, second));
        }
        for second in [34, 35, 36] {
            assert!(!run(&breaker, Verdict::Failure, second), "3 of 7, and those before the window are forgotten");
        }
        assert!(run(&breaker, Verdict::Failure, 37), "4 of 8");
        assert_eq!(breaker.try_admit(at(40)).err(), Some(Some(at(7))));
        run(&breaker, Verdict::Success, 47);
        assert!(!run(&breaker, Verdict::Failure, 47), "it closed on new evidence");
    }

    #[test]
    fn infrastructure_opens_every_breaker_for_its_pause_and_one_success_closes_it() {
        let breaker = Breaker::new(None);
        for _ in 0..100 {
            assert!(!run(&breaker, Verdict::Failure, 0), "without an option failures do not open it");
        }
        let late = breaker.try_admit(at(0)).unwrap_or_else(|_| panic!());
        assert!(run(&breaker, Verdict::Down { pause: at(3) }, 0));
        assert!(!late.ended(Verdict::Success, || at(1)), "a run from before says nothing");
        assert_eq!(breaker.try_admit(at(1)).err(), Some(Some(at(2))));
        run(&breaker, Verdict::Success, 3);
        assert_eq!(breaker.pulls_again_in(at(11)), None);
    }
}
