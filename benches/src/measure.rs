//! Pairs of measurements and what they say.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// What one run took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) time: Duration,
    /// Of this process, all threads.
    pub(crate) cpu: Duration,
}

/// Runs something and measures it.
pub(crate) async fn cost<T>(work: impl Future<Output = T>) -> (T, Cost) {
    let (cpu, began) = (cpu_time(), Instant::now());
    let value = work.await;
    (value, Cost { time: began.elapsed(), cpu: cpu_time() - cpu })
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
        let each = |costs: &[Cost]| {
            let (_, median, _) = spread(costs.iter().map(|cost| cost.cpu.as_secs_f64() * 1e6 / messages as f64));
            median
        };
        format!(
            "{name:<34} throughput {} | client cpu {} | {:.1} us against {:.1} us a message",
            shown(throughput),
            shown(cpu),
            each(&self.ours),
            each(&self.raw)
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
