//! Metrics that nobody counts up: what is known about connections, consumers and outboxes, looked at each second.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::crew::Crew;
use crate::clock::SharedClock;
use crate::metrics::{OutboxNumbers, ProcessMetrics};
use crate::relay::{Board, RelayStats};
use crate::transport::SharedTransport;

/// Nothing that is looked at asks the server or a database: those who do that anyway note what they hear.
const LOOK: Duration = Duration::from_secs(1);

/// What is looked at.
#[derive(Clone)]
pub(super) struct Gauges {
    process: Arc<ProcessMetrics>,
    transport: SharedTransport,
    clock: SharedClock,
    /// None for a relay alone.
    crew: Option<Arc<Crew>>,
    boards: Vec<Arc<Board>>,
}

impl Gauges {
    /// Made when the recorder is installed, and everybody is at work.
    pub(super) fn new(
        transport: SharedTransport,
        clock: SharedClock,
        crew: Option<Arc<Crew>>,
        boards: Vec<Arc<Board>>,
    ) -> Self {
        Self { process: Arc::new(ProcessMetrics::new()), transport, clock, crew, boards }
    }

    /// Looks again and again, until it is told to stop.
    pub(super) async fn run(self, stop: CancellationToken) {
        loop {
            self.look();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.clock.sleep(LOOK) => {}
            }
        }
    }

    /// Looks for the last time: everything has ended, and the connection is closed.
    pub(super) fn end(&self) {
        self.look();
        self.process.disconnected();
    }

    fn look(&self) {
        let transport = &self.transport;
        self.process.connections(transport.is_connected(), transport.connections_down(), transport.connections_made());
        if let Some(crew) = &self.crew {
            let (subscribers, listeners) = (crew.subscribers(), crew.listeners());
            let pulling = subscribers.iter().filter(|subscriber| subscriber.is_at_work()).count();
            let listening = listeners.iter().filter(|listener| listener.is_at_work()).count();
            self.process.subscriptions(pulling, listening);
            subscribers.iter().for_each(|subscriber| subscriber.refresh_metrics());
        }
        let relays = self.boards.iter().map(|board| board.stats()).fold(RelayStats::default(), RelayStats::and);
        self.process.outbox(&numbers(&relays));
        #[cfg(feature = "admin")]
        if let Some(exposition) = crate::metrics::Exposition::installed() {
            exposition.upkeep();
        }
    }
}

fn numbers(relays: &RelayStats) -> OutboxNumbers {
    OutboxNumbers {
        pending: relays.pending,
        failed: relays.failed_rows,
        oldest: relays.oldest,
        published: relays.published,
        retried: relays.retried,
        shards: relays.leads,
    }
}
