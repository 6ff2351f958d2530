//! A relay alone, without an application around it.

use std::fmt;
use std::time::Duration;

use super::builder::start_error;
use super::gauges::Gauges;
use super::io_thread::IoThread;
use super::relays::Relays;
use super::running::Health;
use super::signals::{Ended, listen, note, print};
use crate::clock::{SharedClock, SystemClock};
use crate::config::Config;
use crate::error::{Result, chain};
use crate::handler::HealthStatus;
use crate::relay::RelayStats;
use crate::store::OutboxStore;
use crate::transport::{SharedTransport, connect};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long the connection may take to end.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// A relay in a process of its own: it publishes what stands in the outbox of a database.
///
/// An application relays the outbox of its stores itself; a relay alone is for programs that only write into an outbox, or
/// for applications with the setting `relay = false`. Any number of relays of one outbox share it, each shard of it led by
/// one of them at a time. It makes no streams: those are the application's, and until they are there it waits.
///
/// ```no_run
/// use natspubsub::store::MemoryStore;
/// use natspubsub::{Config, Relay, Result};
///
/// #[tokio::main]
/// async fn main() -> Result<()> {
///     Relay::new(Config::load()?, MemoryStore::new()).run().await
/// }
/// ```
pub struct Relay<S> {
    config: Config,
    store: S,
}

impl<S: OutboxStore> Relay<S> {
    /// A relay that has not started.
    ///
    /// ```
    /// use natspubsub::store::MemoryStore;
    /// use natspubsub::{Config, Relay};
    /// let relay = Relay::new(Config::builder().url("memory:").app("orders").build()?, MemoryStore::new());
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    pub fn new(config: Config, store: S) -> Self {
        Self { config, store }
    }

    /// Starts, runs until SIGTERM or SIGINT, and drains. A second signal exits at once.
    ///
    /// ```no_run
    /// # use natspubsub::store::MemoryStore;
    /// # async fn example(config: natspubsub::Config) -> natspubsub::Result {
    /// natspubsub::Relay::new(config, MemoryStore::new()).run().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Relay::start`].
    pub async fn run(self) -> Result<()> {
        let stop = CancellationToken::new();
        let ended = Ended::default();
        listen(stop.clone(), ended.flag()).await?;
        let running = tokio::select! {
            running = self.start_noting(note) => running?,
            () = stop.cancelled() => return Ok(()),
        };
        stop.cancelled().await;
        print("draining; a second signal exits at once\n");
        print(&format!("drained: {}\n", running.shutdown().await));
        Ok(())
    }

    /// Connects, checks the tables, and starts to relay.
    ///
    /// ```
    /// use natspubsub::store::MemoryStore;
    /// use natspubsub::{Config, Relay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> natspubsub::Result {
    /// let config = Config::builder().url("memory:relay-doc").app("orders").build()?;
    /// let running = Relay::new(config, MemoryStore::new()).start().await?;
    /// assert_eq!(running.shutdown().await.published, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Connect`](crate::ErrorKind::Connect) when no server answers within `connect_timeout`;
    /// [`ErrorKind::Start`](crate::ErrorKind::Start) when a table is missing.
    ///
    /// # Panics
    /// When called outside a tokio runtime.
    pub async fn start(self) -> Result<RunningRelay> {
        self.start_noting(|text| tracing::warn!("{text}")).await
    }

    async fn start_noting(self, note: fn(&str)) -> Result<RunningRelay> {
        let Self { config, store } = self;
        let io = IoThread::start("natspubsub-io")?;
        let clock = SystemClock::shared();
        let (settings, time) = (config.clone(), clock.clone());
        let transport = io.run(async move { connect(&settings, &time, note).await }).await?;
        if let Err(error) = store.check_outbox_tables().await {
            return Err(start_error(&[chain(&error)]));
        }
        let mut relays = Relays::default();
        relays.start(std::sync::Arc::new(store), &transport, &clock, &config);
        tracing::info!(server = transport.describe(), "the relay runs");
        crate::metrics::describe();
        let (gauges, stop) =
            (Gauges::new(transport.clone(), clock.clone(), None, relays.boards().to_vec()), CancellationToken::new());
        io.spawn(gauges.clone().run(stop.clone()));
        Ok(RunningRelay { relays, transport, clock, io, gauges, stop: stop.drop_guard() })
    }
}

impl<S> fmt::Debug for Relay<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("config", &self.config).finish_non_exhaustive()
    }
}

/// A relay that runs. End it with [`RunningRelay::shutdown`]: dropped, it stops at once, and others take over after
/// `outbox_lease`.
///
/// ```
/// # async fn example(running: natspubsub::RunningRelay) {
/// println!("{}", running.stats());
/// # }
/// ```
pub struct RunningRelay {
    relays: Relays,
    transport: SharedTransport,
    clock: SharedClock,
    io: IoThread,
    gauges: Gauges,
    /// Ends what looks at the gauges.
    stop: DropGuard,
}

impl RunningRelay {
    /// What it did, and what the outbox holds.
    ///
    /// ```
    /// # fn example(running: &natspubsub::RunningRelay) {
    /// println!("{} published", running.stats().published);
    /// # }
    /// ```
    pub fn stats(&self) -> RelayStats {
        self.relays.stats()
    }

    /// Whether it works, as far as it is known without asking.
    ///
    /// ```
    /// # fn example(running: &natspubsub::RunningRelay) {
    /// println!("{}", running.health().problems.join(", "));
    /// # }
    /// ```
    pub fn health(&self) -> Health {
        if !self.transport.is_connected() {
            let problems = vec![format!("no connection to {}", self.transport.describe())];
            return Health { status: HealthStatus::Unhealthy, problems };
        }
        let problems = self.relays.problems();
        let status = if problems.is_empty() { HealthStatus::Healthy } else { HealthStatus::Degraded };
        Health { status, problems }
    }

    /// Waits for the answers that are due, up to 5 seconds, writes them down, and gives up what it leads.
    ///
    /// ```
    /// # async fn example(running: natspubsub::RunningRelay) {
    /// println!("{} published", running.shutdown().await.published);
    /// # }
    /// ```
    pub async fn shutdown(mut self) -> RelayStats {
        self.relays.end(&*self.clock).await;
        self.transport.close(CLOSE_LIMIT).await;
        drop(self.stop);
        self.io.end(&*self.clock).await;
        self.gauges.end();
        self.relays.stats()
    }
}

impl fmt::Debug for RunningRelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningRelay").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
