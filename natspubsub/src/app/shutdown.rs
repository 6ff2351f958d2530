//! The drain, step by step, each with a time limit.

use std::fmt;
use std::time::Duration;

use tokio::task::JoinSet;

use super::running::RunningApp;
use crate::clock::timeout;
use crate::consume::Shared;
use crate::failpoints::{Point, Sabotage, reached, sabotaged};
use crate::stats::Stats;

/// How long cut-off workers may take to give back what they hold.
const RELEASE_LIMIT: Duration = Duration::from_secs(5);
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// What an application did from its start to its end.
///
/// ```
/// # async fn example(running: natspubsub::RunningApp) {
/// let report = running.shutdown().await;
/// println!("{report}"); // drained: processed=4 retried=1 dead_lettered=1 lost=0
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Messages whose handler succeeded, acknowledged.
    pub processed: u64,
    /// Deliveries given back for another attempt.
    pub retried: u64,
    /// Messages stored as dead letters.
    pub dead_lettered: u64,
    /// Messages that a handler or an option discarded.
    pub discarded: u64,
    /// Deliveries given back because the application ended; another process receives them at once.
    pub released: u64,
    /// Deliveries whose end the server did not confirm; it delivers them again after `ack_wait`.
    pub lost: u64,
    /// Messages of core NATS whose handler did not succeed.
    pub failed: u64,
    /// Messages of core NATS that were dropped because more came than their subscriber could handle.
    pub dropped: u64,
    /// Subscribers with a handler that blocks its thread and could not be ended.
    pub stuck: u64,
}

impl ShutdownReport {
    /// Whether the server has confirmed everything.
    ///
    /// ```
    /// # async fn example(running: natspubsub::RunningApp) {
    /// assert!(running.shutdown().await.is_clean());
    /// # }
    /// ```
    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.stuck == 0
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processed, retried, dead_lettered, lost, .. } = self;
        write!(f, "drained: processed={processed} retried={retried} dead_lettered={dead_lettered} lost={lost}")?;
        let rest = [
            ("discarded", self.discarded),
            ("released", self.released),
            ("failed", self.failed),
            ("dropped", self.dropped),
            ("stuck", self.stuck),
        ];
        rest.iter().filter(|(_, count)| *count > 0).try_for_each(|(name, count)| write!(f, " {name}={count}"))
    }
}

impl RunningApp {
    /// Drains: stops pulling, finishes running and queued handlers within `shutdown_timeout`, gives back the rest,
    /// and waits until the server has confirmed every acknowledgement.
    ///
    /// ```
    /// # async fn example(running: natspubsub::RunningApp) {
    /// let report = running.shutdown().await;
    /// assert_eq!(report.lost, 0);
    /// # }
    /// ```
    pub async fn shutdown(mut self) -> ShutdownReport {
        let before = self.shared.stats.read();
        let connection = self.shared.transport.connections_made();
        self.desk.drain();
        self.stop.cancel();
        reached(Point::ShutdownAfterStopPull).await;
        let limit = self.config.shutdown_timeout;
        let mut workers = self.crew.take_workers();
        if self.wait_for(&mut workers, limit).await.is_none() {
            tracing::warn!(?limit, "shutdown_timeout is over; the handlers that still run are cut off");
            self.crew.cut();
            if self.wait_for(&mut workers, RELEASE_LIMIT).await.is_none() {
                tracing::error!("some subscribers did not end; a handler blocks its thread");
            }
        }
        self.relays.end(&*self.shared.clock).await;
        self.publisher.close(FLUSH_LIMIT).await;
        if sabotaged(Sabotage::NoFlushOnExit) {
            return self.shutdown_report(&before, true, workers.len());
        }
        // A flush of a new connection says nothing about what was written to the one before it.
        let flushed = self.flush().await && connection == self.shared.transport.connections_made();
        self.delete_ephemerals().await;
        if !self.crew.subscribers().is_empty() && workers.is_empty() {
            self.shared.leave().await;
        }
        self.shared.transport.close(FLUSH_LIMIT).await;
        if let Some(io) = self.io.take() {
            io.end(&*self.shared.clock).await;
        }
        self.desk.close();
        self.gauges.end();
        self.admin.end(&*self.shared.clock).await;
        self.shutdown_report(&before, flushed, workers.len())
    }

    /// A consumer that nobody else uses; left behind, the server would delete it after a minute.
    async fn delete_ephemerals(&self) {
        let clock = self.shared.clock.clone();
        let all = async {
            for subscriber in self.crew.subscribers().iter().filter(|subscriber| subscriber.is_ephemeral()) {
                if let Err(error) = subscriber.delete_consumer().await {
                    tracing::warn!(%error, "an ephemeral consumer could not be deleted");
                }
            }
        };
        let _ = timeout(&*clock, FLUSH_LIMIT, all).await;
    }

    /// `None` when they did not end in time.
    async fn wait_for(&self, workers: &mut JoinSet<()>, limit: Duration) -> Option<()> {
        timeout(&*self.shared.clock, limit, async { while workers.join_next().await.is_some() {} }).await
    }

    async fn flush(&self) -> bool {
        let Shared { acks, transport, clock, .. } = &self.shared;
        let _ = timeout(&**clock, FLUSH_LIMIT, acks.hand_over_all(transport.as_ref())).await;
        match transport.flush(&self.config.namespace.stream(), FLUSH_LIMIT).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "the server did not confirm the last acknowledgements");
                false
            }
        }
    }

    fn shutdown_report(&self, before: &Stats, flushed: bool, stuck: usize) -> ShutdownReport {
        let stats = self.shared.stats.read();
        let answers = |stats: &Stats| stats.settled() + stats.retried + stats.released;
        let in_hand = (self.shared.keeper.len() + self.shared.acks.len()) as u64;
        // Without a confirmation, everything answered during the drain may have to be answered again.
        let unconfirmed = if flushed { 0 } else { (answers(&stats) - answers(before)).max(1) };
        ShutdownReport {
            processed: stats.processed,
            retried: stats.retried,
            dead_lettered: stats.dead_lettered,
            discarded: stats.discarded,
            released: stats.released,
            lost: in_hand + unconfirmed + (stats.unanswered - before.unanswered),
            failed: stats.failed,
            dropped: stats.dropped,
            stuck: stuck as u64,
        }
    }
}
