//! What natspubsub costs beside raw async-nats: the same work with both, alternating in one run on one server.
//!
//! `cargo run --release -p natspubsub-bench -- consume [pairs] [messages]`, and so on; `scripts/bench.sh` runs what has a
//! budget. `batch` and `windowed` are one side alone, for a profiler.

use natspubsub_bench::budgets::{Budgets, Table};
#[cfg(feature = "seen")]
use natspubsub_bench::seen;
#[cfg(feature = "postgres")]
use natspubsub_bench::stores;
use natspubsub_bench::{Outcome, consume, core, latency, publish, subscribers};

const CASES: &str = "name a case: budgets, publish, consume, payloads, latency, requests, core, subscribers, seen, relay, inbox [pairs] [messages]; \
    batch, windowed [rounds] [messages]; memory [messages]";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let pairs = number(1, 7);
    match arguments.first().map(String::as_str) {
        Some("budgets") => budgets(pairs?, number(2, 100_000)?).await,
        Some("publish") => publish::run(pairs?, number(2, 100_000)?).await,
        Some("consume") => consume::run(pairs?, number(2, 100_000)?).await,
        Some("payloads") => {
            let messages = number(2, 50_000)?;
            publish::payloads(number(1, 7)?, messages).await?;
            consume::payloads(pairs?, messages).await
        }
        Some("latency") => {
            latency::case(pairs?, number(2, 5_000)?).await?.print();
            Ok(())
        }
        Some("requests") => latency::requests(pairs?, number(2, 100_000)?).await,
        Some("core") => {
            core::case(pairs?, number(2, 200_000)?).await?.print();
            Ok(())
        }
        Some("subscribers") => subscribers::run(pairs?, number(2, 20_000)?).await,
        Some("subscribers-child") => subscribers::child(&arguments[1], number(2, 1)?).await,
        Some(side @ ("batch" | "windowed")) => publish::one_side(side == "batch", pairs?, number(2, 100_000)?).await,
        #[cfg(feature = "seen")]
        Some("seen") => seen::run(pairs?, number(2, 100_000)?).await,
        #[cfg(feature = "seen")]
        Some("seen-child") => seen::child(&arguments[1], &arguments[2], number(3, 1)?).await,
        #[cfg(feature = "postgres")]
        Some("relay") => stores::relay(pairs?, number(2, 50_000)?).await,
        #[cfg(feature = "postgres")]
        Some("inbox") => stores::inbox(pairs?, number(2, 10_000)?).await,
        Some("memory") => publish::memory(number(1, 200_000)?).await,
        _ => Err(CASES.into()),
    }
}

/// Everything that has a budget, except what the program `counts` counts.
async fn budgets(pairs: usize, messages: usize) -> Outcome {
    let Budgets { throughput, client_cpu, latency: latencies, subscribers: many, .. } = Budgets::load()?;
    let mut table = Table::new();
    let cases = consume::budgeted(pairs, messages).await?;
    let published = publish::budgeted(pairs, messages).await?;
    let core = [core::case(pairs, 2 * messages).await?];
    let least = [
        throughput.consume,
        throughput.consume_slow,
        throughput.publish_windowed,
        throughput.publish_batch,
        throughput.publish_one_by_one,
        throughput.core,
    ];
    for (found, least) in cases.iter().chain(&published).chain(&core).zip(least) {
        let ratio = found.pairs.throughput();
        table.at_least(&found.name, ratio.median, &ratio.to_string(), least);
    }
    for (found, most) in [(&cases[0], client_cpu.consume), (&published[0], client_cpu.publish_windowed)] {
        let ratio = found.pairs.client_cpu();
        table.at_most(&format!("client CPU, {}", found.name), ratio.median, &ratio.to_string(), most);
    }
    let found = latency::case(pairs, 5_000).await?;
    for (name, ratio, most) in [("p50", found.p50, latencies.p50), ("p99", found.p99, latencies.p99)] {
        let name = format!("publish to handler at 1,000 msg/s, {name}");
        table.at_most(&name, ratio.median, &ratio.to_string(), most);
    }
    let (took, each) = subscribers::idle(1_000).await?;
    table.at_most("1,000 idle subscribers, memory of each", each, &format!("{each:.1} KiB"), many.memory_kib);
    let seconds = took.as_secs_f64();
    table.at_most("1,000 idle subscribers, start", seconds, &format!("{seconds:.2} s"), many.start_seconds);
    table.end()
}
