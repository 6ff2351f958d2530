//! How long to wait before the next attempt. Pure.

use std::time::Duration;

use crate::clock::unit;
use crate::topology::RetryPolicy;

/// A delay varies by this share to either side, so that messages that failed together do not return together.
const JITTER: f64 = 0.2;

/// The delay after the failure of attempt `attempt` (from 1): the first failure waits for the first step, and past
/// the last step the delay doubles up to the longest.
pub(super) fn delay(policy: &RetryPolicy, attempt: u64, random: u64) -> Duration {
    let failures = usize::try_from(attempt.max(1) - 1).unwrap_or(usize::MAX);
    let last = policy.steps.last().copied().unwrap_or(policy.longest);
    let delay = match policy.steps.get(failures) {
        Some(step) => *step,
        None => {
            let doublings = u32::try_from(failures - policy.steps.len() + 1).unwrap_or(u32::MAX);
            last.saturating_mul(2_u32.saturating_pow(doublings))
        }
    };
    // A written step beyond `longest` is what the user wants; only the doubling is bounded.
    let bounded = delay.min(policy.longest.max(last));
    if policy.jitter { spread(bounded, random) } else { bounded }
}

/// The delay times a factor from 0.8 to 1.2.
fn spread(delay: Duration, random: u64) -> Duration {
    delay.mul_f64(1.0 - JITTER + 2.0 * JITTER * unit(random))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy(steps: &[u64], longest: u64, jitter: bool) -> RetryPolicy {
        let steps = steps.iter().map(|millis| Duration::from_millis(*millis)).collect();
        RetryPolicy { steps, longest: Duration::from_millis(longest), jitter }
    }

    #[test]
    fn the_first_failure_waits_for_the_first_step_and_the_last_step_doubles() {
        let policy = policy(&[100, 200, 500], 1_500, false);
        let delays: Vec<u128> = (1..=6).map(|attempt| delay(&policy, attempt, 0).as_millis()).collect();
        assert_eq!(delays, [100, 200, 500, 1_000, 1_500, 1_500]);
    }

    #[test]
    fn a_written_step_may_exceed_the_longest() {
        assert_eq!(delay(&policy(&[90_000], 60_000, false), 1, 0), Duration::from_secs(90));
        assert_eq!(delay(&policy(&[90_000], 60_000, false), 9, 0), Duration::from_secs(90));
    }

    proptest! {
        #[test]
        fn jitter_stays_within_a_fifth(attempt in 1_u64..u64::MAX, random in any::<u64>()) {
            let exact = delay(&policy(&[100, 200], 60_000, false), attempt, random);
            let spread = delay(&policy(&[100, 200], 60_000, true), attempt, random);
            prop_assert!(spread >= exact.mul_f64(0.799) && spread <= exact.mul_f64(1.201));
        }
    }
}
