//! The worker process of the crash and shutdown tests: one subscriber that writes a journal.

use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::Journal;
use serde::Deserialize;

#[derive(Deserialize)]
struct Job {
    number: u64,
}

#[topic_subscriber("job.created", concurrency = 8, prefetch = 8, ack_wait = "2s")]
async fn work(job: Job, State(journal): State<Journal>, State(pace): State<Duration>) {
    journal.write("start", job.number);
    if std::env::var_os("WORKER_BLOCKS").is_some() {
        std::thread::sleep(pace);
    }
    tokio::time::sleep(pace).await;
    journal.write("end", job.number);
}

#[tokio::main]
async fn main() -> Result<()> {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    if variable("WORKER_QUIET").is_empty() {
        tracing_subscriber::fmt().with_ansi(false).with_env_filter("info").init();
    }
    let pace = Duration::from_millis(variable("WORKER_PACE_MS").parse().unwrap_or(5));
    App::builder().state(Journal::at(variable("WORKER_JOURNAL"))).state(pace).build()?.run().await
}
