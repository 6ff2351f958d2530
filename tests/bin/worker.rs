//! The worker process of the crash and shutdown tests: subscribers that write a journal. The environment says which
//! one runs and how; each job says what becomes of it.

use std::time::Duration;

use natspubsub::HandlerError;
use natspubsub::prelude::*;
use natspubsub_tests::{Deed, Job, Journal, print_and_record_logs};

#[derive(Debug, thiserror::Error, HandlerError)]
enum JobError {
    #[error("job {0} can never be done")]
    #[permanent]
    Hopeless(u64),
    #[error("job {0} failed")]
    #[transient(after = "100ms")]
    Failed(u64),
}

/// A little at once, kept alive often.
#[topic_subscriber("job.created", concurrency = 8, prefetch = 8, ack_wait = "2s")]
async fn work(job: Job, State(journal): State<Journal>, State(pace): State<Duration>) -> Result<(), JobError> {
    perform(job, &journal, pace).await
}

/// Much in hand that does not run yet.
#[topic_subscriber("job.created", concurrency = 8, prefetch = 50, ack_wait = "30s")]
async fn queued(job: Job, State(journal): State<Journal>, State(pace): State<Duration>) -> Result<(), JobError> {
    perform(job, &journal, pace).await
}

/// Core NATS: one of the group receives a job.
#[subject_subscriber("core.work", transport = "core", queue = "workers")]
async fn shared(number: u64, State(journal): State<Journal>) {
    journal.write("end", number);
}

/// Core NATS: every instance receives a job.
#[subject_subscriber("core.news", transport = "core")]
async fn heard(number: u64, State(journal): State<Journal>) {
    journal.write("heard", number);
}

/// Core NATS: says which instance answers.
#[responder("core.who")]
async fn who(_asked: u64) -> String {
    std::env::var("WORKER_NAME").unwrap_or_default()
}

async fn perform(job: Job, journal: &Journal, pace: Duration) -> Result<(), JobError> {
    journal.write("start", job.number);
    match job.deed {
        Deed::Work => tokio::time::sleep(pace).await,
        Deed::Block => std::thread::sleep(pace),
        Deed::WorkThenFail => {
            tokio::time::sleep(pace).await;
            return Err(JobError::Failed(job.number));
        }
        Deed::Permanent => return Err(JobError::Hopeless(job.number)),
        Deed::Transient => return Err(JobError::Failed(job.number)),
        Deed::Abort => std::process::abort(),
        Deed::Hoard => hoard(),
    }
    journal.write("end", job.number);
    Ok(())
}

/// Takes memory until there is none.
fn hoard() {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(vec![1; 64 * 1024 * 1024]);
    }
}

/// `RLIMIT_AS`, so that a process that takes too much memory dies alone.
fn limit_memory(megabytes: &str) {
    use nix::sys::resource::{Resource, setrlimit};
    if let Ok(megabytes) = megabytes.parse::<u64>() {
        let bytes = megabytes * 1024 * 1024;
        setrlimit(Resource::RLIMIT_AS, bytes, bytes).expect("the limit is set");
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    limit_memory(&variable("WORKER_MEMORY_MB"));
    // A quiet one logs nothing at all: its test counts on its pace.
    if variable("WORKER_QUIET").is_empty() {
        print_and_record_logs(&std::env::var("WORKER_LOG").unwrap_or_else(|_| "info".to_owned()));
    }
    let pace = Duration::from_millis(variable("WORKER_PACE_MS").parse().unwrap_or(5));
    let journal = Journal::at(variable("WORKER_JOURNAL")).by(variable("WORKER_NAME"));
    let app = App::builder().state(journal).state(pace);
    let app = match variable("WORKER_SUBSCRIBER").as_str() {
        "queued" => app.subscriber(queued {}),
        "core" => app.subscriber(shared {}).subscriber(heard {}).subscriber(who {}),
        _ => app.subscriber(work {}),
    };
    match variable("WORKER_EMBEDDED").as_str() {
        "" => app.build()?.run().await,
        "publisher" => Publisher::connect(Config::load()?).await.map(|_| ()),
        // A program that starts its application itself.
        _ => {
            app.build()?.start().await?.shutdown().await;
            Ok(())
        }
    }
}
