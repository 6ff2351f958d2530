//! What is remembered between two looks. Pure: the time is an argument.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long nothing may arrive while messages wait.
const STALL: Duration = Duration::from_secs(10);

/// How long something is not asked for again that the account may not ask.
const DENIED_FOR: Duration = Duration::from_secs(60);

/// How long after the last dead letter that could not be stored that is told: longer than until it is tried again.
const UNSTORED_FOR: Duration = Duration::from_secs(15 * 60);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sees a stall from outside: messages wait at a consumer, there is room, and for ten seconds none arrives.
///
/// The engine looks for that itself, on the thread that takes deliveries in; this one sees it when that thread hangs.
#[derive(Debug, Default)]
pub(super) struct Witness(Mutex<HashMap<String, Seen>>);

/// What a consumer had delivered when messages were first seen to wait since.
#[derive(Debug)]
struct Seen {
    taken: u64,
    since: Duration,
}

impl Witness {
    /// For how long messages have waited while none arrived, if that is a stall.
    pub(super) fn stall(&self, consumer: &str, taken: u64, waits: bool, now: Duration) -> Option<Duration> {
        let mut seen = locked(&self.0);
        if !waits {
            seen.remove(consumer);
            return None;
        }
        match seen.get(consumer) {
            Some(before) if before.taken == taken => {
                Some(now.saturating_sub(before.since)).filter(|time| *time >= STALL)
            }
            _ => {
                seen.insert(consumer.to_owned(), Seen { taken, since: now });
                None
            }
        }
    }
}

/// What the account may not ask: each question would be an error in the server's log.
#[derive(Debug, Default)]
pub(super) struct Denials(Mutex<HashMap<String, Duration>>);

impl Denials {
    pub(super) fn note(&self, question: &str, now: Duration) {
        locked(&self.0).insert(question.to_owned(), now);
    }

    pub(super) fn holds(&self, question: &str, now: Duration) -> bool {
        locked(&self.0).get(question).is_some_and(|at| now.saturating_sub(*at) < DENIED_FOR)
    }
}

/// Dead letters that could not be stored.
#[derive(Debug, Default)]
pub(super) struct Unstored(Mutex<(u64, Option<Duration>)>);

impl Unstored {
    /// Whether one could not be stored lately, by the count since the start.
    pub(super) fn is_recent(&self, count: u64, now: Duration) -> bool {
        let mut known = locked(&self.0);
        if count > known.0 {
            *known = (count, Some(now));
        }
        known.1.is_some_and(|at| now.saturating_sub(at) < UNSTORED_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_stall_is_ten_seconds_in_which_messages_wait_and_none_arrives() {
        let witness = Witness::default();
        assert_eq!(witness.stall("c", 7, true, at(0)), None);
        assert_eq!(witness.stall("c", 7, true, at(9)), None);
        assert_eq!(witness.stall("other", 7, true, at(9)), None, "each consumer for itself");
        assert_eq!(witness.stall("c", 7, true, at(10)), Some(at(10)));
        assert_eq!(witness.stall("c", 7, true, at(30)), Some(at(30)));
        assert_eq!(witness.stall("c", 8, true, at(31)), None, "one has arrived");
        assert_eq!(witness.stall("c", 8, false, at(40)), None, "none waits, or there is no room");
        assert_eq!(witness.stall("c", 8, true, at(50)), None, "the time counts from anew");
    }

    #[test]
    fn what_is_denied_is_asked_again_after_a_minute() {
        let denials = Denials::default();
        assert!(!denials.holds("a", at(0)));
        denials.note("a", at(0));
        assert!(denials.holds("a", at(59)) && !denials.holds("b", at(59)) && !denials.holds("a", at(60)));
    }

    #[test]
    fn a_dead_letter_that_was_not_stored_is_told_until_it_must_have_been() {
        let unstored = Unstored::default();
        assert!(!unstored.is_recent(0, at(5)));
        assert!(unstored.is_recent(1, at(10)) && unstored.is_recent(1, at(10 + 899)));
        assert!(!unstored.is_recent(1, at(10 + 900)));
        assert!(unstored.is_recent(2, at(2_000)));
    }
}
