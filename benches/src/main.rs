//! What natspubsub costs beside raw async-nats: the same work with both, alternating in one run on one server.
//!
//! `cargo run --release -p natspubsub-bench -- publish [pairs] [messages]`; `relay`, `inbox` and `core` in the same way; `batch` and `windowed` are
//! one side alone, for a profiler.

// The output is the purpose.
#![allow(clippy::print_stdout)]

mod core;
mod measure;
mod postgres;
mod publish;
mod server;
mod stores;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |text| text.parse());
    match arguments.first().map(String::as_str) {
        Some("publish") => publish::run(number(1, 7)?, number(2, 100_000)?).await,
        Some(side @ ("batch" | "windowed")) => {
            publish::one_side(side == "batch", number(1, 7)?, number(2, 100_000)?).await
        }
        Some("relay") => stores::relay(number(1, 7)?, number(2, 50_000)?).await,
        Some("inbox") => stores::inbox(number(1, 7)?, number(2, 10_000)?).await,
        Some("core") => core::run(number(1, 7)?, number(2, 200_000)?).await,
        Some("memory") => publish::memory(number(1, 200_000)?).await,
        _ => Err("name a case: publish [pairs] [messages], batch [rounds] [messages], windowed [rounds] [messages], memory [messages], relay [pairs] [messages], inbox [pairs] [messages], core [pairs] [messages]".into()),
    }
}
