//! A running application, for embedding and for tests.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::admin::Admin;
use super::crew::Crew;
use super::gauges::Gauges;
use super::health::HealthDesk;
use super::io_thread::IoThread;
use super::relays::Relays;
use crate::clock::timeout;
use crate::config::Config;
use crate::consume::Shared;
use crate::error::{Error, ErrorKind, Result};
use crate::handler::HealthStatus;
use crate::publish::Publisher;
use crate::relay::RelayStats;
use crate::stats::Stats;

/// An application whose subscribers run. End it with [`RunningApp::shutdown`]: dropping it stops the subscribers
/// without waiting, and their unfinished messages come again.
///
/// ```
/// # use natspubsub::prelude::*;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let config = Config::builder().url("memory:running-doc").app("orders").build()?;
/// let running = App::builder().config(config).publish_only().build()?.start().await?;
/// running.publisher().publish("order.created", "ORD-1").await?;
/// let report = running.shutdown().await;
/// assert_eq!(report.lost, 0);
/// # Ok(())
/// # }
/// ```
pub struct RunningApp {
    pub(super) publisher: Publisher,
    pub(super) config: Config,
    pub(super) shared: Shared,
    pub(super) report: String,
    pub(super) crew: Arc<Crew>,
    pub(super) relays: Relays,
    pub(super) gauges: Gauges,
    /// Ends pulling.
    pub(super) stop: CancellationToken,
    /// `None` after its end.
    pub(super) io: Option<IoThread>,
    pub(super) desk: Arc<HealthDesk>,
    /// Ends last.
    pub(super) admin: Admin,
}

/// Whether an application works, and what is wrong if not.
///
/// ```
/// # fn example(running: &natspubsub::RunningApp) {
/// let health = running.health();
/// println!("{:?}: {}", health.status, health.problems.join(", "));
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The verdict.
    pub status: HealthStatus,
    /// What is wrong, one sentence each.
    pub problems: Vec<String>,
}

impl RunningApp {
    /// The publisher of the application, cheap to clone.
    ///
    /// ```
    /// # async fn example(running: &natspubsub::RunningApp) -> natspubsub::Result {
    /// running.publisher().publish("order.created", "ORD-1").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// The outbox of the application in its store of type `S`.
    ///
    /// ```
    /// # use natspubsub::store::SqliteStore;
    /// # fn example(running: &natspubsub::RunningApp) -> natspubsub::Result {
    /// let outbox = running.outbox::<SqliteStore>()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when [`AppBuilder::store`](crate::AppBuilder::store) was not given one of this type.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub fn outbox<S: crate::store::SqlStore>(&self) -> Result<crate::publish::Outbox<S>> {
        let outbox = crate::publish::Outbox::of(&self.shared.services);
        outbox.map_err(|missing| Error::new(ErrorKind::NotFound, missing.to_string()))
    }

    /// The counters of the application.
    ///
    /// ```
    /// # fn example(running: &natspubsub::RunningApp) {
    /// println!("{} processed", running.stats().processed);
    /// # }
    /// ```
    pub fn stats(&self) -> Stats {
        self.shared.stats.read()
    }

    /// What the relays of its stores did, and what their outboxes hold.
    ///
    /// ```
    /// # fn example(running: &natspubsub::RunningApp) {
    /// println!("{} messages wait in the outbox", running.relay_stats().pending);
    /// # }
    /// ```
    pub fn relay_stats(&self) -> RelayStats {
        self.relays.stats()
    }

    /// The start report: one line for each subscriber.
    ///
    /// ```
    /// # fn example(running: &natspubsub::RunningApp) {
    /// print!("{}", running.report());
    /// # }
    /// ```
    pub fn report(&self) -> &str {
        &self.report
    }

    /// Whether the application works, as far as it is known without asking the server; [`RunningApp::check_health`] asks.
    ///
    /// ```
    /// # fn example(running: &natspubsub::RunningApp) {
    /// assert_eq!(running.health().status, natspubsub::HealthStatus::Healthy);
    /// # }
    /// ```
    pub fn health(&self) -> Health {
        let mut problems = Vec::new();
        if !self.shared.transport.is_connected() {
            problems.push(format!("no connection to {}", self.config.url));
        } else if self.shared.transport.connections_down() > 0 {
            let (down, all) = (self.shared.transport.connections_down(), self.config.connections);
            problems.push(format!("{down} of {all} connections to {} are down", self.config.url));
        }
        let subscribers = self.crew.subscribers();
        problems.extend(subscribers.iter().filter_map(|subscriber| subscriber.problem()));
        problems.extend(self.crew.listeners().iter().filter_map(|listener| listener.problem()));
        if !problems.is_empty() {
            return Health { status: HealthStatus::Unhealthy, problems };
        }
        problems.extend(subscribers.iter().filter_map(|subscriber| subscriber.pause()));
        problems.extend(self.crew.unread());
        problems.extend(self.relays.problems());
        let unstored = self.shared.stats.read().unstored;
        if unstored > 0 {
            problems.push(format!("{unstored} attempt(s) to store a dead letter failed; the messages are kept"));
        }
        let status = if problems.is_empty() { HealthStatus::Healthy } else { HealthStatus::Degraded };
        Health { status, problems }
    }

    /// Waits until the counters fulfil a condition.
    ///
    /// ```
    /// # async fn example(running: &natspubsub::RunningApp) -> natspubsub::Result {
    /// running.wait_until(|stats| stats.settled() >= 5, std::time::Duration::from_secs(10)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] with the counters, when the condition does not hold within `limit`.
    pub async fn wait_until(&self, condition: impl Fn(&Stats) -> bool, limit: Duration) -> Result<Stats> {
        let wait = async {
            let listening = self.shared.stats.listen();
            loop {
                let bell = listening.changed();
                let mut bell = std::pin::pin!(bell);
                bell.as_mut().enable();
                let stats = self.shared.stats.read();
                if condition(&stats) {
                    return stats;
                }
                bell.await;
            }
        };
        let ended = timeout(&*self.shared.clock, limit, wait).await;
        ended.ok_or_else(|| {
            Error::new(
                ErrorKind::Timeout,
                format!("the condition did not hold within {limit:?}: {:?}", self.shared.stats.read()),
            )
        })
    }
}

impl Drop for RunningApp {
    fn drop(&mut self) {
        self.publisher.refuse();
        self.desk.close();
        self.stop.cancel();
        self.crew.cut();
        // Aborted rather than waited for.
        drop(self.crew.take_workers());
        self.shared.acks.hand_over(self.shared.transport.as_ref());
    }
}

impl fmt::Debug for RunningApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningApp")
            .field("config", &self.config)
            .field("stats", &self.shared.stats.read())
            .finish_non_exhaustive()
    }
}
