//! The handlings of an inbox in memory.

use std::collections::HashMap;
use std::time::Duration;

use crate::store::{Claim, InboxDepth, InboxKey};

/// An inbox.
#[derive(Default)]
pub(super) struct Handlings {
    rows: HashMap<InboxKey, Row>,
}

#[derive(Debug)]
struct Row {
    status: Status,
    fence: i64,
    error: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Status {
    Processing { until: Duration },
    Processed { at: Duration },
    Failed,
}

impl Handlings {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The row, while it is `processing` under this fence.
    fn held(&mut self, key: &InboxKey, fence: i64) -> Option<&mut Row> {
        self.rows.get_mut(key).filter(|row| row.fence == fence && matches!(row.status, Status::Processing { .. }))
    }

    pub(super) fn claim(&mut self, key: &InboxKey, lease: Duration, now: Duration) -> Claim {
        let new = || Row { status: Status::Failed, fence: 0, error: String::new() };
        let row = self.rows.entry(key.clone()).or_insert_with(new);
        match row.status {
            Status::Processed { .. } => Claim::Processed,
            Status::Processing { until } if until > now => Claim::Busy { remaining: until - now },
            Status::Processing { .. } | Status::Failed => {
                row.fence += 1;
                row.status = Status::Processing { until: now + lease };
                Claim::Mine { fence: row.fence }
            }
        }
    }

    pub(super) fn renew(&mut self, key: &InboxKey, fence: i64, lease: Duration, now: Duration) -> bool {
        self.held(key, fence).map(|row| row.status = Status::Processing { until: now + lease }).is_some()
    }

    pub(super) fn finish(&mut self, key: &InboxKey, fence: i64, now: Duration) -> bool {
        self.held(key, fence).map(|row| row.status = Status::Processed { at: now }).is_some()
    }

    pub(super) fn give_back(&mut self, key: &InboxKey, fence: i64, error: &str, now: Duration) -> bool {
        let Some(row) = self.held(key, fence) else { return false };
        row.status = Status::Processing { until: now };
        error.clone_into(&mut row.error);
        true
    }

    pub(super) fn fail(&mut self, key: &InboxKey, error: &str) {
        let new = || Row { status: Status::Failed, fence: 0, error: String::new() };
        let row = self.rows.entry(key.clone()).or_insert_with(new);
        if !matches!(row.status, Status::Processed { .. }) {
            row.status = Status::Failed;
            error.clone_into(&mut row.error);
        }
    }

    pub(super) fn delete_processed(&mut self, older_than: Duration, limit: u32, now: Duration) -> u64 {
        let is_old = |row: &Row| matches!(row.status, Status::Processed { at } if at + older_than < now);
        let old = self.rows.iter().filter(|(_, row)| is_old(row)).map(|(key, _)| key.clone()).take(limit as usize);
        let old: Vec<InboxKey> = old.collect();
        old.iter().for_each(|key| drop(self.rows.remove(key)));
        old.len() as u64
    }

    pub(super) fn depth(&self) -> InboxDepth {
        let is_failed = |row: &&Row| row.status == Status::Failed;
        let is_processing = |row: &&Row| matches!(row.status, Status::Processing { .. });
        InboxDepth {
            processing: self.rows.values().filter(is_processing).count() as u64,
            failed: self.rows.values().filter(is_failed).count() as u64,
        }
    }
}
