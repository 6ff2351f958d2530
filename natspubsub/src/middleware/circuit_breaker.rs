//! A circuit breaker that several subscribers share.

use std::sync::Arc;
use std::time::Duration;

use super::breaker::{Breaker, Rule, Trip, Verdict};
use crate::handler::{Delivery, Failure, FailureClass, Middleware, Next, Outcome};

/// How long who is refused waits while another one tries.
const TRIAL_PAUSE: Duration = Duration::from_millis(250);

/// Stops calling handlers after too many failures, tries again with one at a time after a while, and closes when enough of
/// those succeed.
///
/// What it refuses, and the failures that open it or keep it open, become
/// [`FailureClass::Infrastructure`] with a pause: the engine stops pulling for that
/// subscriber and holds what it has, so that an outage uses up no attempt and sends nothing to the dead letters. The price:
/// a message that fails alone, again and again, counts as an outage as long as nothing else succeeds in between; let such
/// errors be permanent. With core NATS, where nothing can be held, what is refused is lost and counted, or for a request
/// answered with an error.
///
/// Failures are transient errors, timeouts and panics; a message that is at fault itself counts as a success. The option
/// `circuit_breaker` of a subscriber is the same machine for one subscriber alone; its failures use up attempts. State: one
/// machine, which clones share, in this process. Order: outside of [`RateLimit`](super::RateLimit) and
/// [`ConcurrencyLimit`](super::ConcurrencyLimit), so that nobody waits for a turn in vain. Cost: a lock before and after.
///
/// ```standalone_crate
/// use std::sync::LazyLock;
/// use std::time::Duration;
/// use natspubsub::middleware::CircuitBreaker;
/// use natspubsub::prelude::*;
///
/// static WAREHOUSE: LazyLock<CircuitBreaker> = LazyLock::new(|| {
///     CircuitBreaker::at_rate(0.5, Duration::from_secs(30), 20).open(Duration::from_secs(10)).half_open(3)
/// });
///
/// #[middleware(global = false)]
/// fn warehouse() -> CircuitBreaker {
///     WAREHOUSE.clone()
/// }
///
/// #[topic_subscriber("order.created", middleware = [warehouse])]
/// async fn reserve(order: serde_json::Value) {
///     println!("{order}");
/// }
/// # fn main() {}
/// ```
#[derive(Debug, Clone)]
pub struct CircuitBreaker {
    rule: Rule,
    breaker: Arc<Breaker>,
}

impl CircuitBreaker {
    /// Opens after so many failures in a row. It stays open for 60 seconds, and closes after 3 successes in a row.
    ///
    /// ```
    /// let breaker = natspubsub::middleware::CircuitBreaker::after(5);
    /// ```
    ///
    /// # Panics
    /// When `failures` is zero.
    pub fn after(failures: u32) -> Self {
        assert!(failures > 0, "a circuit breaker opens after at least one failure");
        Self::of(Trip::InARow(failures))
    }

    /// Opens when of at least `runs_min` runs within `window` this share has failed, from 0 to 1. It stays open for 60
    /// seconds, and closes after 3 successes in a row. The window is counted in ten parts.
    ///
    /// ```
    /// use std::time::Duration;
    /// let breaker = natspubsub::middleware::CircuitBreaker::at_rate(0.5, Duration::from_secs(30), 20);
    /// ```
    ///
    /// # Panics
    /// When `share` is not above 0 and at most 1, or `window` or `runs_min` is zero.
    pub fn at_rate(share: f64, window: Duration, runs_min: u32) -> Self {
        assert!(
            share > 0.0 && share <= 1.0,
            "the share of failures that opens a circuit breaker is above 0 and at most 1"
        );
        assert!(
            !window.is_zero() && runs_min > 0,
            "a circuit breaker counts at least one run, in a time that is not zero"
        );
        Self::of(Trip::Rate { share, window, runs_min })
    }

    fn of(trip: Trip) -> Self {
        Self::with(Rule { trip, open: Duration::from_secs(60), half_open: 3 })
    }

    fn with(rule: Rule) -> Self {
        Self { rule, breaker: Arc::new(Breaker::new(Some(rule))) }
    }

    /// The same rule with another time that it stays open; a breaker of its own. Default: 60 seconds.
    ///
    /// ```
    /// use std::time::Duration;
    /// let breaker = natspubsub::middleware::CircuitBreaker::after(5).open(Duration::from_secs(10));
    /// ```
    #[must_use]
    pub fn open(self, time: Duration) -> Self {
        Self::with(Rule { open: time, ..self.rule })
    }

    /// The same rule with another number of successes in a row that close it, at least 1; a breaker of its own. Default: 3.
    ///
    /// ```
    /// let breaker = natspubsub::middleware::CircuitBreaker::after(5).half_open(1);
    /// ```
    #[must_use]
    pub fn half_open(self, successes: u32) -> Self {
        Self::with(Rule { half_open: successes.max(1), ..self.rule })
    }
}

impl Middleware for CircuitBreaker {
    async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
        let clock = delivery.clock();
        let permit = match self.breaker.try_admit(clock.monotonic()) {
            Ok(permit) => permit,
            Err(pause) => return down(pause.unwrap_or(TRIAL_PAUSE), "the circuit breaker is open"),
        };
        let outcome = next.run(delivery).await;
        let verdict = Verdict::of(&outcome);
        match (permit.ended(verdict, || clock.monotonic()), verdict, &outcome) {
            (true, Verdict::Failure, Outcome::Failed(failure)) => {
                down(self.rule.open, &format!("the circuit breaker opened: {}", failure.describe()))
            }
            _ => outcome,
        }
    }
}

/// Nothing runs for a while, and the message is held.
fn down(pause: Duration, why: &str) -> Outcome {
    Outcome::Failed(Failure::new(FailureClass::Infrastructure { pause }, why))
}
