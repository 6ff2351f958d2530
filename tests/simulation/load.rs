//! What a seed publishes, when, and where the application is restarted.

use natspubsub::testing::Profile;
use std::time::Duration;

use crate::app::{Deed, Job};

/// So many jobs are published.
const JOBS: u64 = 45;

/// The topics that jobs are published under.
const TOPICS: [&str; 4] = ["job.created", "entry.made", "order.placed", "page.written"];

/// Pages are of so many books.
const BOOKS: u64 = 4;

/// One publish and the pause behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) topic: &'static str,
    pub(crate) job: Job,
    pub(crate) pause: Duration,
}

/// What a seed does.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) profile: Profile,
    pub(crate) steps: Vec<Step>,
    /// Before this step the application is drained and started again.
    pub(crate) restart_at: usize,
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

impl Load {
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice(seed ^ 0x1001_d1ce);
        let steps: Vec<Step> = (1..=JOBS).map(|number| step(&mut dice, number)).collect();
        let restart_at = usize::try_from(10 + dice.below(JOBS - 15)).unwrap_or(10);
        Self { profile: profile(seed), steps, restart_at }
    }
}

fn step(dice: &mut Dice, number: u64) -> Step {
    let topic = TOPICS[usize::try_from(dice.below(4)).unwrap_or(0)];
    let deed = match dice.below(12) {
        0 if topic != "order.placed" => Deed::Poison,
        1 if topic == "job.created" => Deed::Obsolete,
        _ => Deed::Work,
    };
    let fails = if dice.one_in(4) { 1 + u32::from(dice.one_in(2)) } else { 0 };
    // Most are short; some outlast ack_wait, which then counts on in-progress signals.
    let lasts_ms = match dice.below(8) {
        0 => 3_000 + dice.below(4_000),
        1 | 2 => dice.below(1_000),
        _ => dice.below(60),
    };
    let pause = if dice.one_in(3) { Duration::ZERO } else { Duration::from_millis(dice.below(900)) };
    let book = 1 + dice.below(BOOKS);
    Step { topic, job: Job { number, book, deed, fails, lasts_ms }, pause }
}

/// One seed of four has delays only, so that nothing excuses a second run; one has few faults, and two have many.
fn profile(seed: u64) -> Profile {
    let seconds = Duration::from_secs;
    match seed % 4 {
        0 => Profile::none().delay(Duration::from_millis(20)),
        1 => Profile::gentle().partition(seconds(15), seconds(3)).full_stream(seconds(10), seconds(4)),
        _ => Profile::harsh()
            .partition(seconds(12), seconds(6))
            .full_stream(seconds(12), seconds(4))
            .deaf_signals(seconds(12), seconds(12)),
    }
}
