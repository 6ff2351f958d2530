//! What a relay does and knows, for whoever watches it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a message may wait before that is told.
const OLD: Duration = Duration::from_secs(60);

/// What a relay did since its start, and what the outbox held when it last looked, up to 5 seconds ago.
///
/// ```
/// let stats = natspubsub::RelayStats::default();
/// assert_eq!((stats.published, stats.pending), (0, 0));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayStats {
    /// Messages that the stream has confirmed.
    pub published: u64,
    /// Those of them that the stream had already.
    pub duplicates: u64,
    /// Attempts after which a message went back to the outbox.
    pub retried: u64,
    /// Messages that this relay has given up.
    pub failed: u64,
    /// Messages that were sent once more after the stream's duplicate window: they may be stored twice.
    pub republished_after_window: u64,
    /// Messages in the outbox that wait.
    pub pending: u64,
    /// Messages in the outbox that are `failed`.
    pub failed_rows: u64,
    /// How long the oldest waiting message could have been sent already.
    pub oldest: Option<Duration>,
    /// How many of the shards of the outbox this relay leads.
    pub leads: u16,
}

/// What a relay tells others.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<Told>);

/// What a relay asks its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Question {
    Lead,
    Claim,
    Settle,
    Resign,
    Sweep,
    Measure,
}

#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) stats: RelayStats,
    /// What the database does not answer, and why.
    pub(super) database: BTreeMap<Question, String>,
    /// Why it does not work any more.
    pub(super) ended: Option<String>,
    /// Why nothing is published.
    pub(super) paused: Option<String>,
}

impl Board {
    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counters.
    pub(crate) fn stats(&self) -> RelayStats {
        self.told().stats
    }

    /// What is wrong, one sentence each; none when all is well.
    pub(crate) fn problems(&self) -> Vec<String> {
        let told = self.told();
        let RelayStats { pending, failed_rows, oldest, .. } = told.stats;
        let mut problems = Vec::new();
        problems.extend(told.ended.clone());
        if let Some(reason) = told.database.values().next() {
            problems.push(format!("the database of the outbox does not answer the relay: {reason}"));
        }
        if let Some(reason) = &told.paused {
            problems.push(format!("the relay of the outbox is paused: {reason}"));
        }
        if let Some(oldest) = oldest.filter(|oldest| *oldest > OLD) {
            problems.push(format!(
                "the oldest of {pending} message(s) in the outbox has waited for {} seconds",
                oldest.as_secs()
            ));
        }
        if failed_rows > 0 {
            problems.push(format!(
                "{failed_rows} message(s) in the outbox are failed; look at them with failed_messages, and send them again with retry_failed"
            ));
        }
        problems
    }
}

impl RelayStats {
    /// Of two relays together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            published: self.published + other.published,
            duplicates: self.duplicates + other.duplicates,
            retried: self.retried + other.retried,
            failed: self.failed + other.failed,
            republished_after_window: self.republished_after_window + other.republished_after_window,
            pending: self.pending + other.pending,
            failed_rows: self.failed_rows + other.failed_rows,
            oldest: self.oldest.max(other.oldest),
            leads: self.leads + other.leads,
        }
    }
}

impl fmt::Display for RelayStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { published, duplicates, retried, failed, pending, .. } = self;
        write!(f, "published={published} duplicates={duplicates} retried={retried} failed={failed} pending={pending}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_in_words() {
        let board = Board::default();
        assert!(board.problems().is_empty());
        board.told().stats = RelayStats { pending: 3, oldest: Some(2 * OLD), failed_rows: 1, ..Default::default() };
        board.told().paused = Some("no connection to the server".into());
        board.told().database.insert(Question::Lead, "pool timed out".into());
        let expected = [
            "the database of the outbox does not answer the relay: pool timed out",
            "the relay of the outbox is paused: no connection to the server",
            "the oldest of 3 message(s) in the outbox has waited for 120 seconds",
            "1 message(s) in the outbox are failed; look at them with failed_messages, and send them again with retry_failed",
        ];
        assert_eq!(board.problems(), expected);
    }
}
