//! How long a relay waits for what. Pure: the time is an argument.

use std::time::Duration;

const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

const LOOK_MIN: Duration = Duration::from_millis(2);
const LOOK_MAX: Duration = Duration::from_secs(1);

fn doubled(first: Duration, times: u32, max: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times)).min(max)
}

/// How long a message waits that failed so often before: 1 s, doubled each time, up to a minute.
pub(super) fn retry_pause(attempts: u32) -> Duration {
    doubled(RETRY_MIN, attempts, RETRY_MAX)
}

/// How long to wait after so many failures of something else in a row: 100 ms, doubled each time, up to 5 s.
pub(super) fn pause(failures: u32) -> Duration {
    doubled(PAUSE_MIN, failures.saturating_sub(1), PAUSE_MAX)
}

/// When to look for messages again.
///
/// Whoever writes tells before the write is committed, so that a look that finds nothing is soon repeated.
#[derive(Debug)]
pub(super) struct Look {
    poll: Duration,
    next: Duration,
    step: Duration,
}

impl Look {
    pub(super) fn new(poll: Duration, now: Duration) -> Self {
        Self { poll, next: now, step: LOOK_MIN }
    }

    /// Something was written, or may be claimed now.
    pub(super) fn wake(&mut self, now: Duration) {
        (self.next, self.step) = (now, LOOK_MIN);
    }

    /// Something may be claimed at this time.
    pub(super) fn by(&mut self, at: Duration) {
        (self.next, self.step) = (self.next.min(at), LOOK_MIN);
    }

    /// What a look found: `full` when there may be more.
    pub(super) fn found(&mut self, full: bool, now: Duration) {
        if full {
            self.wake(now);
        } else if self.step > LOOK_MAX {
            self.next = now + self.poll;
        } else {
            self.next = now + self.step.min(self.poll);
            self.step *= 2;
        }
    }

    pub(super) fn next(&self) -> Duration {
        self.next
    }
}

/// A pause of the whole relay: after it one message tries, and only when that has an answer the others follow.
#[derive(Debug, Default)]
pub(super) struct Pause {
    failures: u32,
    until: Duration,
}

impl Pause {
    /// Nothing may be sent now; for how long from now. What was sent before the pause began does not prolong it.
    pub(super) fn begin(&mut self, now: Duration) -> Duration {
        if self.failures == 0 || now >= self.until {
            self.failures += 1;
            self.until = now + pause(self.failures);
        }
        self.until - now
    }

    /// A message had an answer.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// How often in a row it began.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// Its end, while there is one.
    pub(super) fn until(&self) -> Option<Duration> {
        (self.failures > 0).then_some(self.until)
    }

    /// How many messages may be in hand, out of `most`.
    pub(super) fn room(&self, most: usize, now: Duration) -> usize {
        match self.until() {
            None => most,
            Some(until) if now < until => 0,
            Some(_) => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn pauses_double_up_to_their_limit() {
        assert_eq!([0, 1, 5, 6, 40].map(|n| retry_pause(n).as_secs()), [1, 2, 32, 60, 60]);
        assert_eq!([1, 2, 6, 7, 90].map(|n| pause(n).as_millis()), [100, 200, 3_200, 5_000, 5_000]);
    }

    #[test]
    fn a_look_that_finds_nothing_is_repeated_soon_and_then_seldom() {
        let mut look = Look::new(ms(1_000), ms(0));
        let mut now = ms(0);
        let waits: Vec<u128> = (0..12)
            .map(|_| {
                look.found(false, now);
                let wait = look.next() - now;
                now = look.next();
                wait.as_millis()
            })
            .collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1_000, 1_000, 1_000]);
        look.wake(now);
        assert_eq!(look.next(), now);
        look.found(true, now);
        assert_eq!(look.next(), now, "there may be more");
        look.found(false, now);
        assert_eq!(look.next(), now + ms(2));
    }

    #[test]
    fn a_pause_lets_one_message_try_and_grows_only_by_that() {
        let mut paused = Pause::default();
        assert_eq!(paused.room(256, ms(0)), 256);
        assert_eq!(paused.begin(ms(0)), ms(100));
        assert_eq!(paused.begin(ms(40)), ms(60), "sent before the pause");
        assert_eq!([ms(99), ms(100)].map(|now| paused.room(256, now)), [0, 1]);
        assert_eq!(paused.begin(ms(100)), ms(200));
        assert_eq!(paused.failures(), 2);
        paused.end();
        assert_eq!((paused.room(256, ms(101)), paused.until()), (256, None));
    }
}
