//! Goal: a consumed message allocates no more than `budgets.toml` allows. Method: a counting allocator, and two
//! thousand messages before it counts. Allocations do not depend on the load of the machine, and hardly on the profile.

use std::alloc::System;

use natspubsub_bench::budgets::Budgets;
use natspubsub_bench::counts::{Side, allocations, allocations_in_memory};
use natspubsub_bench::tally;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

const MESSAGES: usize = 5_000;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One test: what another does at the same time would be counted too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumed_message_allocates_little_more_than_a_raw_one() {
    tally::count_allocations(|| {
        let stats = ALLOCATOR.stats();
        (stats.allocations + stats.reallocations) as u64
    });
    let budget = Budgets::load().unwrap().counts;
    let raw = allocations(Side::Raw, MESSAGES).await.unwrap();
    let ours = allocations(Side::Ours, MESSAGES).await.unwrap();
    assert!(raw > 1.0, "{raw} allocations are counted");
    assert!(
        ours - raw <= budget.allocations,
        "{ours:.2} allocations against {raw:.2}: more than {} above",
        budget.allocations
    );
    let in_memory = allocations_in_memory(MESSAGES).await.unwrap();
    assert!(in_memory <= budget.allocations_in_memory, "{in_memory:.2} allocations on the broker in memory");
}
