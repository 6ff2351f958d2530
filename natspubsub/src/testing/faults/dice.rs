//! Randomness that a seed repeats: one sequence for each concern, so that a draw of one does not shift the others.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::unit;

/// The constants of SplitMix64 (Steele, Lea, Flood 2014), whose sequence never changes.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
const MIX: [u64; 2] = [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb];

/// The constants of FNV-1a.
const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// The sequence of one concern.
#[derive(Debug)]
pub(crate) struct Dice {
    state: Mutex<u64>,
}

impl Dice {
    /// The sequence of a concern under a seed.
    pub(crate) fn new(seed: u64, concern: &str) -> Self {
        Self { state: Mutex::new(mixed(seed) ^ fnv(FNV_START, concern.as_bytes())) }
    }

    /// 64 random bits.
    pub(crate) fn bits(&self) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(STEP);
        mixed(*state)
    }

    /// `true` with this probability; what never happens draws nothing.
    pub(crate) fn chance(&self, probability: f64) -> bool {
        probability > 0.0 && unit(self.bits()) < probability
    }

    /// A number below `end`; 0 when there is none.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.bits().checked_rem(end).unwrap_or(0)
    }

    /// A time from zero up to `longest`, in whole microseconds.
    pub(crate) fn time(&self, longest: Duration) -> Duration {
        if longest.is_zero() {
            return Duration::ZERO;
        }
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX - 1);
        Duration::from_micros(self.below(micros + 1))
    }
}

fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(MIX[0]);
    bits = (bits ^ (bits >> 27)).wrapping_mul(MIX[1]);
    bits ^ (bits >> 31)
}

/// FNV-1a goes on from `digest` over `bytes`.
pub(super) fn fnv(digest: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(digest, |digest, byte| (digest ^ u64::from(*byte)).wrapping_mul(FNV_PRIME))
}

/// Where a digest of FNV-1a begins.
pub(super) const EMPTY: u64 = FNV_START;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_sequence_for_ever() {
        let dice = Dice::new(7, "publish");
        let first: Vec<u64> = (0..3).map(|_| dice.bits()).collect();
        assert_eq!(first, [0x394f_ed1b_103e_75e6, 0x86e9_2f81_20dc_8063, 0x9751_bf55_ada2_326e], "pinned");
        assert_ne!(Dice::new(7, "answer").bits(), first[0], "each concern has its own");
        assert_ne!(Dice::new(8, "publish").bits(), first[0], "each seed has its own");
    }

    #[test]
    fn what_never_happens_draws_nothing() {
        let (one, other) = (Dice::new(1, "a"), Dice::new(1, "a"));
        assert!(!one.chance(0.0) && one.time(Duration::ZERO).is_zero());
        assert_eq!(one.bits(), other.bits());
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
