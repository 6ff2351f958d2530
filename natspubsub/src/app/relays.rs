//! What works in the stores of an application: a relay for each outbox, and what forgets in each inbox.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::inbox::forget;
use crate::clock::{Clock, SharedClock, timeout};
use crate::config::Config;
use crate::relay::{Board, RelayStats, Work};
use crate::store::{SharedInbox, SharedOutbox};
use crate::transport::SharedTransport;

/// Longer than a relay takes to end by itself.
const END_LIMIT: Duration = Duration::from_secs(10);

/// Relays at work, on the runtime of the application: the connections of a database belong to the runtime that made them.
/// Dropped, they end without giving up what they lead.
#[derive(Default)]
pub(super) struct Relays {
    boards: Vec<Arc<Board>>,
    #[cfg(feature = "testing")]
    outboxes: Vec<SharedOutbox>,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Relays {
    /// Starts another one.
    pub(super) fn start(
        &mut self,
        outbox: SharedOutbox,
        transport: &SharedTransport,
        clock: &SharedClock,
        config: &Config,
    ) {
        #[cfg(feature = "testing")]
        self.outboxes.push(outbox.clone());
        let board: Arc<Board> = Arc::default();
        let work = Work::new(outbox, transport.clone(), clock.clone(), config, board.clone());
        self.tasks.spawn(work.guarded(self.stop.clone()));
        self.boards.push(board);
    }

    /// Starts what deletes from an inbox what need not be remembered any more.
    pub(super) fn forget(&mut self, inbox: SharedInbox, retention: Duration, clock: &SharedClock) {
        self.tasks.spawn(forget(inbox, retention, clock.clone(), self.stop.clone()));
    }

    /// Ends them: they wait for the answers that are due, and give up what they lead.
    pub(super) async fn end(&mut self, clock: &dyn Clock) {
        self.stop.cancel();
        let ended = timeout(clock, END_LIMIT, async { while self.tasks.join_next().await.is_some() {} }).await;
        if ended.is_none() {
            tracing::warn!("a relay did not end in time; others take over after outbox_lease");
            self.tasks.abort_all();
        }
    }

    /// How many messages wait in their outboxes.
    #[cfg(feature = "testing")]
    pub(super) async fn pending(&self) -> u64 {
        let mut pending = 0;
        for outbox in &self.outboxes {
            pending += outbox.outbox_depth().await.map_or(0, |depth| depth.pending);
        }
        pending
    }

    /// What each of them tells.
    pub(super) fn boards(&self) -> &[Arc<Board>] {
        &self.boards
    }

    /// What all of them did, and what their outboxes hold.
    pub(super) fn stats(&self) -> RelayStats {
        self.boards.iter().map(|board| board.stats()).fold(RelayStats::default(), RelayStats::and)
    }

    /// What is wrong, one sentence each.
    pub(super) fn problems(&self) -> Vec<String> {
        self.boards.iter().flat_map(|board| board.problems()).collect()
    }
}
