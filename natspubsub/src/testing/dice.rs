//! Randomness that repeats: the same seed gives the same numbers, on every machine and in every version.

use std::sync::atomic::{AtomicU64, Ordering};

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
}
