//! Simulates an application under many seeds and checks each run: `simulation 0..10000`.
//!
//! `NATSPUBSUB_SEED=7` repeats one seed and prints its trace. `--first` ends with the first violation.

mod app;
mod checker;
mod history;
mod load;
mod order;
mod room;
mod run;
mod trace;

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use checker::{Violation, check};
use run::{Evidence, run};

/// What is known of all seeds so far.
#[derive(Default)]
struct Tally {
    next: AtomicU64,
    runs: AtomicU64,
    /// How often each kind of fault struck.
    faults: Mutex<BTreeMap<String, u64>>,
    stop: AtomicBool,
    failed: Mutex<Vec<(u64, Vec<Violation>)>>,
}

impl Tally {
    fn count_faults(&self, trace: &str) {
        let mut faults = self.faults.lock().expect("no thread panics");
        for line in trace.lines() {
            let mut words = line.split(' ').skip(1);
            if let (Some(kind @ ("fault" | "crash")), Some(name)) = (words.next(), words.next()) {
                *faults.entry(format!("{kind} {name}")).or_default() += 1;
            }
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seed: Option<u64> = std::env::var("NATSPUBSUB_SEED").ok().and_then(|seed| seed.parse().ok());
    if let Some(seed) = seed {
        return repeat(seed);
    }
    let range = arguments.iter().find_map(|argument| seeds(argument)).unwrap_or(0..500);
    let is_first = arguments.iter().any(|argument| argument == "--first");
    let tally = simulate(range, is_first);
    let mut failed = tally.failed.into_inner().unwrap_or_default();
    failed.sort_by_key(|(seed, _)| *seed);
    let (runs, faults) = (tally.runs.load(Ordering::Relaxed), tally.faults.into_inner().unwrap_or_default());
    for (seed, violations) in &failed {
        violations.iter().for_each(|violation| print(&format!("seed {seed}: {violation}\n")));
        print(&format!("seed {seed}: NATSPUBSUB_SEED={seed} repeats it\n"));
    }
    faults.iter().for_each(|(name, count)| print(&format!("{name}: {count}\n")));
    let of = |is_crash: bool| faults.iter().filter(move |(name, _)| name.starts_with("crash ") == is_crash);
    let [struck, crashes] = [false, true].map(|is_crash| of(is_crash).map(|(_, count)| count).sum::<u64>());
    print(&format!("{runs} runs, {struck} faults, {crashes} crashes, {} with violations\n", failed.len()));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `0..10000`.
fn seeds(argument: &str) -> Option<Range<u64>> {
    let (from, to) = argument.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?)
}

/// Runs every seed, on each core.
fn simulate(seeds: Range<u64>, is_first: bool) -> Tally {
    let tally = Tally { next: AtomicU64::new(seeds.start), ..Tally::default() };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&tally, seeds.end, is_first));
        }
    });
    tally
}

fn work(tally: &Tally, end: u64, is_first: bool) {
    loop {
        let seed = tally.next.fetch_add(1, Ordering::Relaxed);
        if seed >= end || tally.stop.load(Ordering::Relaxed) {
            return;
        }
        let evidence = one(seed);
        let violations = check(&evidence);
        tally.runs.fetch_add(1, Ordering::Relaxed);
        tally.count_faults(&evidence.trace);
        if !violations.is_empty() {
            tally.stop.fetch_or(is_first, Ordering::Relaxed);
            tally.failed.lock().expect("no thread panics").push((seed, violations));
        }
    }
}

fn one(seed: u64) -> Evidence {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run(seed)).unwrap_or_else(|error| panic!("seed {seed} does not run: {error}"))
}

/// Prints everything about one seed.
fn repeat(seed: u64) -> ExitCode {
    let evidence = one(seed);
    print(&evidence.trace);
    let violations = check(&evidence);
    violations.iter().for_each(|violation| print(&format!("seed {seed}: {violation}\n")));
    if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::print_stdout, reason = "the verdict is what the program is for")]
fn print(text: &str) {
    print!("{text}");
}
