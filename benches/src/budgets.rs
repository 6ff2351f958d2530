//! The budgets of `budgets.toml`, and whether they are kept.

use serde::Deserialize;

use crate::Outcome;

/// All of them, as the file has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Budgets {
    pub throughput: Throughput,
    pub client_cpu: ClientCpu,
    pub latency: Latency,
    pub subscribers: Subscribers,
    pub counts: Counts,
}

/// Ratios, at least.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Throughput {
    pub consume: f64,
    pub consume_slow: f64,
    pub publish_windowed: f64,
    pub publish_batch: f64,
    pub publish_one_by_one: f64,
    pub core: f64,
}

/// Ratios, at most.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ClientCpu {
    pub consume: f64,
    pub publish_windowed: f64,
}

/// Ratios, at most.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
}

/// At most.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Subscribers {
    pub memory_kib: f64,
    pub start_seconds: f64,
}

/// At most.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Counts {
    pub allocations: f64,
    pub instructions: f64,
    pub allocations_in_memory: f64,
}

impl Budgets {
    /// What the repository holds.
    pub fn load() -> Outcome<Self> {
        Ok(toml::from_str(include_str!("../budgets.toml"))?)
    }
}

/// The table of what was measured.
#[derive(Debug, Default)]
pub struct Table {
    is_exceeded: bool,
}

impl Table {
    /// An empty one, with its head printed.
    pub fn new() -> Self {
        println!("| case | measured | budget | |\n|---|---|---|---|");
        Self::default()
    }

    /// A row of something that is to be large.
    pub fn at_least(&mut self, name: &str, value: f64, shown: &str, budget: f64) {
        self.row(name, shown, &format!("at least {budget}"), value >= budget);
    }

    /// A row of something that is to be small.
    pub fn at_most(&mut self, name: &str, value: f64, shown: &str, budget: f64) {
        self.row(name, shown, &format!("at most {budget}"), value <= budget);
    }

    fn row(&mut self, name: &str, shown: &str, budget: &str, is_kept: bool) {
        println!("| {name} | {shown} | {budget} | {} |", if is_kept { "pass" } else { "FAIL" });
        self.is_exceeded |= !is_kept;
    }

    /// An error when a budget was exceeded.
    pub fn end(self) -> Outcome {
        if self.is_exceeded { Err("a budget is exceeded".into()) } else { Ok(()) }
    }
}
