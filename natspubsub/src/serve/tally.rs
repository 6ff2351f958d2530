//! What one responder counts about its requests.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::reply::Refusal;

/// What one responder counts about its requests.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Counted>);

/// The counters at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) requests: u64,
    pub(super) errors: u64,
    /// Code and words, as `500:no luck`; empty before the first error.
    pub(super) last_error: String,
    pub(super) time: Duration,
}

impl Counted {
    /// The mean of all requests.
    pub(super) fn average(&self) -> Duration {
        let nanos = self.time.as_nanos() / u128::from(self.requests.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Tally {
    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request that took so long.
    pub(super) fn add(&self, time: Duration, refusal: Option<&Refusal>) {
        let mut counted = self.counted();
        counted.requests += 1;
        counted.time = counted.time.saturating_add(time);
        if let Some(Refusal { code, words }) = refusal {
            counted.errors += 1;
            counted.last_error = format!("{code}:{words}");
        }
    }

    pub(super) fn read(&self) -> Counted {
        self.counted().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_errors_and_times_are_counted() {
        let tally = Tally::default();
        assert_eq!((tally.read().average(), tally.read()), (Duration::ZERO, Counted::default()));
        tally.add(Duration::from_nanos(10), None);
        tally.add(Duration::from_nanos(30), Some(&Refusal { code: 500, words: "no luck".into() }));
        let counted = tally.read();
        assert_eq!((counted.requests, counted.errors, counted.last_error.as_str()), (2, 1, "500:no luck"));
        assert_eq!(counted.average(), Duration::from_nanos(20));
    }
}
