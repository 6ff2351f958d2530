//! Pairs of measurements and what they say.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// What one run took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) time: Duration,
    /// Of this process, all threads.
    pub(crate) cpu: Duration,
    /// Of the servers that it started.
    pub(crate) servers: Duration,
}

/// Runs something and measures it.
pub(crate) async fn cost<T>(work: impl Future<Output = T>) -> (T, Cost) {
    let (cpu, servers, began) = (cpu_time(), servers_time(), Instant::now());
    let value = work.await;
    let servers = servers_time().saturating_sub(servers);
    (value, Cost { time: began.elapsed(), cpu: cpu_time() - cpu, servers })
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

/// What the same work took with both.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) raw: Cost,
    pub(crate) ours: Cost,
}

/// The two sides of a case, run by run.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    raw: Vec<Cost>,
    ours: Vec<Cost>,
}

impl Pairs {
    pub(crate) fn add(&mut self, pair: Pair) {
        self.raw.push(pair.raw);
        self.ours.push(pair.ours);
    }

    /// One line: throughput against raw, and CPU time against raw, pair by pair.
    pub(crate) fn report(&self, name: &str, messages: usize) -> String {
        let ratios =
            |of: fn(&Cost, &Cost) -> f64| spread(self.raw.iter().zip(&self.ours).map(|(raw, ours)| of(raw, ours)));
        let throughput = ratios(|raw, ours| raw.time.as_secs_f64() / ours.time.as_secs_f64());
        let cpu = ratios(|raw, ours| ours.cpu.as_secs_f64() / raw.cpu.as_secs_f64());
        let each = |costs: &[Cost], of: fn(&Cost) -> Duration| {
            spread(costs.iter().map(|cost| of(cost).as_secs_f64() * 1e6 / messages as f64)).1
        };
        format!(
            "{name:<34} throughput {} | client cpu {} | us a message: client {:.1} against {:.1}, servers {:.1} against {:.1}",
            shown(throughput),
            shown(cpu),
            each(&self.ours, |cost| cost.cpu),
            each(&self.raw, |cost| cost.cpu),
            each(&self.ours, |cost| cost.servers),
            each(&self.raw, |cost| cost.servers),
        )
    }

    /// One line: the median of messages in a second, for orientation.
    pub(crate) fn speeds(&self, messages: usize) -> String {
        let speed = |costs: &[Cost]| spread(costs.iter().map(|cost| messages as f64 / cost.time.as_secs_f64())).1;
        format!("{:.0} messages a second against {:.0}", speed(&self.ours), speed(&self.raw))
    }
}

/// Minimum, median and maximum.
fn spread(values: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    (values[0], values[values.len() / 2], values[values.len() - 1])
}

fn shown((least, median, most): (f64, f64, f64)) -> String {
    format!("{median:.2} ({least:.2} to {most:.2})")
}
