//! Pairs of measurements and what they say.

use std::fmt;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

use crate::Outcome;
use crate::tally::allocations;

/// What one run took.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// From its beginning to its end.
    pub time: Duration,
    /// Of this process, all threads.
    pub cpu: Duration,
    /// Of the servers that it started.
    pub servers: Duration,
    /// Of this process, where they are counted.
    pub allocations: u64,
}

/// The counters of a moment.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot {
    at: Instant,
    cpu: Duration,
    servers: Duration,
    allocations: u64,
}

impl Snapshot {
    /// The counters of now; what reading them costs lies before it.
    pub fn begin() -> Self {
        let servers = servers_time();
        Self { servers, cpu: cpu_time(), allocations: allocations(), at: Instant::now() }
    }

    /// The counters of now; what reading them costs lies behind it.
    pub fn end() -> Self {
        let (at, allocations, cpu) = (Instant::now(), allocations(), cpu_time());
        Self { at, cpu, allocations, servers: servers_time() }
    }

    /// What was used from one moment to another.
    pub fn since(&self, begin: &Self) -> Cost {
        Cost {
            time: self.at - begin.at,
            cpu: self.cpu.saturating_sub(begin.cpu),
            servers: self.servers.saturating_sub(begin.servers),
            allocations: self.allocations - begin.allocations,
        }
    }
}

/// Runs something and measures it.
pub async fn cost<T>(work: impl Future<Output = T>) -> (T, Cost) {
    let begin = Snapshot::begin();
    let value = work.await;
    (value, Snapshot::end().since(&begin))
}

/// CPU time of everything that descends from this process, with what has ended there; zero where there is no `/proc`.
fn servers_time() -> Duration {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let found: Vec<(u32, u32, u64)> = processes.filter_map(|process| ticks(&process.path().join("stat"))).collect();
    let mut family = vec![std::process::id()];
    let mut ticks = 0;
    while let Some(parent) = family.pop() {
        for (id, _, used) in found.iter().filter(|(_, of, _)| *of == parent) {
            family.push(*id);
            ticks += used;
        }
    }
    Duration::from_millis(ticks * 10)
}

/// Number, parent, and hundredths of a second of a process; see `man 5 proc_pid_stat`.
fn ticks(stat: &std::path::Path) -> Option<(u32, u32, u64)> {
    let text = std::fs::read_to_string(stat).ok()?;
    let (head, tail) = text.split_once(" (")?;
    // After the name, which may contain anything: state, parent; user and system time, their own and of ended children.
    let fields: Vec<&str> = tail.rsplit_once(") ")?.1.split(' ').collect();
    let used = fields.get(11..15)?.iter().map(|field| field.parse::<u64>().unwrap_or(0)).sum();
    Some((head.parse().ok()?, fields.get(1)?.parse().ok()?, used))
}

fn cpu_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("a process can read its own usage");
    let duration = |time: nix::sys::time::TimeVal| {
        Duration::new(time.tv_sec().unsigned_abs(), u32::try_from(time.tv_usec()).unwrap_or(0) * 1_000)
    };
    duration(usage.user_time()) + duration(usage.system_time())
}

/// The same work with both, in turn: the first pair warms up and does not count, and what the first of two leaves behind in
/// the server does not always slow the same one down.
///
/// # Errors
/// What a side ends with.
pub async fn pairs(
    rounds: usize,
    raw: impl AsyncFn() -> Outcome<Cost>,
    ours: impl AsyncFn() -> Outcome<Cost>,
) -> Outcome<Pairs> {
    let mut found = Pairs::default();
    for round in 0..=rounds {
        let (raw, ours) = if round % 2 == 0 {
            let raw = raw().await?;
            (raw, ours().await?)
        } else {
            let ours = ours().await?;
            (raw().await?, ours)
        };
        if round > 0 {
            found.add(raw, ours);
        }
    }
    Ok(found)
}

/// The two sides of a case, run by run.
#[derive(Debug, Default)]
pub struct Pairs {
    raw: Vec<Cost>,
    ours: Vec<Cost>,
}

/// Minimum, median and maximum.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    /// The least.
    pub least: f64,
    /// The middle one.
    pub median: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// Of at least one value.
    ///
    /// # Panics
    /// Without a value.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self { least: values[0], median: values[values.len() / 2], most: values[values.len() - 1] }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2} to {:.2})", self.median, self.least, self.most)
    }
}

impl Pairs {
    /// Adds what the same work took with both.
    pub fn add(&mut self, raw: Cost, ours: Cost) {
        self.raw.push(raw);
        self.ours.push(ours);
    }

    fn ratios(&self, of: fn(&Cost, &Cost) -> f64) -> Spread {
        Spread::of(self.raw.iter().zip(&self.ours).map(|(raw, ours)| of(raw, ours)))
    }

    /// Our throughput to the raw one, pair by pair.
    pub fn throughput(&self) -> Spread {
        self.ratios(|raw, ours| raw.time.as_secs_f64() / ours.time.as_secs_f64())
    }

    /// Our CPU time to the raw one, pair by pair.
    pub fn client_cpu(&self) -> Spread {
        self.ratios(|raw, ours| ours.cpu.as_secs_f64() / raw.cpu.as_secs_f64())
    }

    /// One line: throughput against raw, and CPU time against raw, pair by pair.
    pub fn report(&self, name: &str, messages: usize) -> String {
        let each = |costs: &[Cost], of: fn(&Cost) -> Duration| {
            Spread::of(costs.iter().map(|cost| of(cost).as_secs_f64() * 1e6 / messages as f64)).median
        };
        format!(
            "{name:<46} throughput {} | client cpu {} | us a message: client {:.1} against {:.1}, servers {:.1} against {:.1}",
            self.throughput(),
            self.client_cpu(),
            each(&self.ours, |cost| cost.cpu),
            each(&self.raw, |cost| cost.cpu),
            each(&self.ours, |cost| cost.servers),
            each(&self.raw, |cost| cost.servers),
        )
    }

    /// One line: the median of messages in a second, for orientation.
    pub fn speeds(&self, messages: usize) -> String {
        let speed =
            |costs: &[Cost]| Spread::of(costs.iter().map(|cost| messages as f64 / cost.time.as_secs_f64())).median;
        format!("{:.0} messages a second against {:.0}", speed(&self.ours), speed(&self.raw))
    }
}

/// A case and what it took.
#[derive(Debug)]
pub struct Found {
    /// What was done.
    pub name: String,
    /// How many messages each run had.
    pub messages: usize,
    /// The runs.
    pub pairs: Pairs,
}

impl Found {
    /// Prints both lines.
    pub fn print(&self) {
        println!("{}", self.pairs.report(&self.name, self.messages));
        println!("{:<46} {}", "", self.pairs.speeds(self.messages));
    }
}
