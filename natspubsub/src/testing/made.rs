//! What a test makes on a server, and how it is taken away.

use std::time::Duration;

use serde_json::json;

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{AssetConfig, Transport, config_text, connect};

/// How long taking away what was made may take.
const CLEAR_LIMIT: Duration = Duration::from_secs(5);

/// The stream that a test holds while it uses names that are not its own alone.
const LOCK: &str = "natspubsub-test-lock";

/// How long a test waits for the lock, and how often it looks.
const LOCK_LIMIT: Duration = Duration::from_secs(300);
const LOCK_LOOK: Duration = Duration::from_millis(100);

/// The streams that a test makes; dropped, they are deleted.
pub(super) struct Made {
    config: Config,
    streams: Vec<String>,
}

impl Made {
    /// Claims the streams that a test needs. Names that do not begin with its environment belong to one test at a time;
    /// what is there already belongs to somebody else.
    pub(super) async fn claim(
        config: &Config,
        streams: &[AssetConfig],
        broker: &dyn Transport,
        clock: &dyn Clock,
    ) -> Result<Self> {
        let mut made = Self { config: config.clone(), streams: Vec::new() };
        let own = [format!("{}-", config.env()), format!("KV_{}-", config.env())];
        let names: Vec<&str> = streams.iter().map(|stream| config_text(stream, "name")).collect();
        let is_fixed = |name: &&&str| !own.iter().any(|own| name.starts_with(own));
        let fixed: Vec<&&str> = names.iter().filter(is_fixed).collect();
        if !fixed.is_empty() {
            lock(config.env(), broker, clock).await?;
            made.streams.push(LOCK.to_owned());
        }
        for name in fixed {
            if broker.stream(name).await?.is_some() {
                let text = format!(
                    "the stream {name} is on the server already: a test would handle messages that are not its own; take a server for tests, or delete the stream"
                );
                return Err(Error::new(ErrorKind::Start, text));
            }
        }
        // The lock goes last.
        made.streams.splice(0..0, names.iter().map(|name| (*name).to_owned()));
        Ok(made)
    }

    /// Refuses consumers on streams that the test has not made, and deletes them.
    pub(super) async fn check(&self, consumers: &[(String, String)], broker: &dyn Transport) -> Result<()> {
        let mut foreign = Vec::new();
        for (stream, consumer) in consumers.iter().filter(|(stream, _)| !self.streams.contains(stream)) {
            broker.delete_consumer(stream, consumer).await?;
            foreign.push(stream.as_str());
        }
        if foreign.is_empty() {
            return Ok(());
        }
        let text = format!(
            "the application reads {}, which the test has not made; TestApp::builder().stream(..) or .neighbour(..) makes it",
            foreign.join(" and ")
        );
        Err(Error::new(ErrorKind::Start, text))
    }
}

/// Waits until no other test uses names that are not its own alone.
async fn lock(env: &str, broker: &dyn Transport, clock: &dyn Clock) -> Result<()> {
    let config = json!({
        "name": LOCK,
        "subjects": ["natspubsub.test.lock"],
        "storage": "memory",
        "num_replicas": 1,
        "metadata": { "natspubsub.test": env },
    });
    let config = config.as_object().cloned().unwrap_or_default();
    let end = clock.monotonic() + LOCK_LIMIT;
    while let Err(error) = broker.create_stream(&config).await {
        if clock.monotonic() >= end {
            let text = format!(
                "another test holds the stream {LOCK}, since streams of fixed names belong to one test at a time; if none runs, delete it"
            );
            return Err(Error::new(ErrorKind::Start, text).with_source(error));
        }
        clock.sleep(LOCK_LOOK).await;
    }
    Ok(())
}

/// A test may end by a panic, outside any runtime: what is deleted at its end is deleted on a thread with a runtime.
impl Drop for Made {
    fn drop(&mut self) {
        let (config, streams) = (self.config.clone(), std::mem::take(&mut self.streams));
        if streams.is_empty() {
            return;
        }
        let clear = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async { tokio::time::timeout(CLEAR_LIMIT, clear(&config, &streams)).await.ok() })
        };
        let cleared = std::thread::spawn(clear).join();
        if !matches!(cleared, Ok(Some(true))) {
            tracing::warn!("the streams of the test could not be deleted");
        }
    }
}

async fn clear(config: &Config, streams: &[String]) -> bool {
    let Ok(broker) = connect(config, &SystemClock::shared(), |_| {}).await else { return false };
    let mut all = true;
    for stream in streams {
        all &= broker.delete_stream(stream).await.is_ok();
    }
    all
}
