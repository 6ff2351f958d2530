//! Randomness that repeats: the same seed gives the same numbers, on every machine and in every version.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::unit;

/// What SplitMix64 adds at each step.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64, of a seed and of what it is for: one draw more for one purpose moves no other.
#[derive(Debug)]
pub(super) struct Dice(AtomicU64);

impl Dice {
    pub(super) fn new(seed: u64, purpose: &str) -> Self {
        let start = purpose.bytes().fold(mixed(seed), |state, byte| mixed(state ^ u64::from(byte)));
        Self(AtomicU64::new(start))
    }

    /// The next 64 bits.
    pub(super) fn roll(&self) -> u64 {
        mixed(self.0.fetch_add(STEP, Ordering::Relaxed))
    }

    /// `true` with this probability; what never happens draws nothing.
    pub(super) fn chance(&self, probability: f64) -> bool {
        probability > 0.0 && unit(self.roll()) < probability
    }

    /// A number below `end`; 0 when there is none.
    pub(super) fn below(&self, end: u64) -> u64 {
        self.roll().checked_rem(end).unwrap_or(0)
    }

    /// A time from zero up to `longest`, in whole microseconds.
    pub(super) fn time(&self, longest: Duration) -> Duration {
        if longest.is_zero() {
            return Duration::ZERO;
        }
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX - 1);
        Duration::from_micros(self.below(micros + 1))
    }
}

fn mixed(state: u64) -> u64 {
    let state = state.wrapping_add(STEP);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_purpose_give_the_same_numbers_again() {
        let rolls = |seed, purpose| {
            let dice = Dice::new(seed, purpose);
            [dice.roll(), dice.roll()]
        };
        assert_eq!(rolls(7, "clock"), rolls(7, "clock"));
        assert_ne!(rolls(7, "clock"), rolls(8, "clock"));
        assert_ne!(rolls(7, "clock"), rolls(7, "faults"));
    }

    /// The numbers of the reference implementation of SplitMix64 for the seed 0.
    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        let dice = Dice(AtomicU64::new(0));
        assert_eq!(dice.roll(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(dice.roll(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn what_never_happens_draws_nothing() {
        let (one, other) = (Dice::new(1, "a"), Dice::new(1, "a"));
        assert!(!one.chance(0.0) && one.time(Duration::ZERO).is_zero());
        assert_eq!(one.roll(), other.roll());
    }

    #[test]
    fn draws_stay_in_their_bounds_and_reach_them() {
        let dice = Dice::new(3, "bounds");
        let happened = (0..10_000).filter(|_| dice.chance(0.25)).count();
        assert!((2_300..2_700).contains(&happened), "{happened} of 10,000");
        let longest = Duration::from_micros(3);
        let times: std::collections::BTreeSet<u128> = (0..100).map(|_| dice.time(longest).as_micros()).collect();
        assert_eq!(times.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(dice.below(0), 0);
    }
}
