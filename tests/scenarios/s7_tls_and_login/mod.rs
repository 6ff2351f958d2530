//! Goal: who the server is and who the application is are certain before anything is said, and stay certain: no login in
//! plain text where encryption is expected, no retry of a login that is refused, new credentials without a restart.
//! Method: real servers with certificates, users and JWTs that are made for each test; a listener that records what an
//! eavesdropper would see.

mod encryption;
mod login;
mod mutual;
mod rotation;

use std::time::{Duration, Instant};

use natspubsub::prelude::*;
use natspubsub::{ConfigBuilder, Error, HealthStatus, RunningApp};

/// A refusal that waits for nothing and tries nothing again.
const AT_ONCE: Duration = Duration::from_secs(2);

/// What is tried again goes on until `connect_timeout`, 30 s. A busy machine takes seconds to read the authorities of the
/// system in a debug build.
const NOT_AGAIN: Duration = Duration::from_secs(10);
const LIMIT: Duration = Duration::from_secs(20);
const SECRET: &str = "hunter2-secret";

#[topic_subscriber("order.created")]
async fn on_order(order: u64) {
    let _ = order;
}

fn builder(url: impl Into<String>) -> ConfigBuilder {
    Config::builder().url(url).env("test").app("s7")
}

async fn start(config: ConfigBuilder) -> Result<RunningApp> {
    App::builder().config(config.build().unwrap()).subscriber(on_order {}).build().unwrap().start().await
}

/// Publishes, and waits until the subscriber has handled it.
async fn round_trip(running: &RunningApp) {
    let before = running.stats().processed;
    for order in 0..10_u64 {
        running.publisher().publish("order.created", &order).await.unwrap();
    }
    running.wait_until(|stats| stats.processed >= before + 10, LIMIT).await.unwrap();
    assert_eq!(running.health().status, HealthStatus::Healthy, "{:?}", running.health().problems);
}

/// An application that publishes and consumes, from its start to its end.
async fn works(config: ConfigBuilder) {
    let running = start(config).await.unwrap();
    round_trip(&running).await;
    assert!(running.shutdown().await.is_clean());
}

/// Why the application does not start; it says so without a second attempt, and without the secret.
async fn refused(config: ConfigBuilder) -> Error {
    refused_within(NOT_AGAIN, config).await
}

async fn refused_within(limit: Duration, config: ConfigBuilder) -> Error {
    let begin = Instant::now();
    let error = start(config).await.unwrap_err();
    assert!(begin.elapsed() < limit, "after {:?}: {error:?}", begin.elapsed());
    assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
    error
}

/// What is wrong with a configuration.
fn fault(config: ConfigBuilder) -> String {
    let error = config.build().unwrap_err();
    assert_eq!(error.kind(), &natspubsub::ErrorKind::Config, "{error}");
    error.to_string()
}
