//! The messages of an outbox in memory.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::leads::Leads;
use crate::store::{ClaimedMessage, FailedMessage, Lead, MessageEnd, OutboxDepth, OutboxMessage, SettledMessage};

/// An outbox.
#[derive(Default)]
pub(super) struct Messages {
    leads: Leads,
    rows: BTreeMap<i64, Row>,
    message_ids: HashSet<String>,
    last_id: i64,
}

struct Row {
    message: OutboxMessage,
    status: Status,
    attempts: u32,
    error: String,
    created: Duration,
    first_claimed: Option<Duration>,
}

enum Status {
    Pending {
        /// From when on it may be sent.
        from: Duration,
        /// Whether it waits to be tried again, so that its key waits for it.
        again: bool,
    },
    Publishing {
        lead: Lead,
    },
    Sent {
        at: Duration,
    },
    Failed,
}

impl Row {
    /// Since when it could have been sent, if it waits.
    fn waits_since(&self) -> Option<Duration> {
        matches!(self.status, Status::Pending { .. } | Status::Publishing { .. })
            .then(|| self.created + self.message.delay)
    }

    fn claimed(&mut self, id: i64, lead: Lead, now: Duration) -> ClaimedMessage {
        self.status = Status::Publishing { lead };
        let claimed = ClaimedMessage {
            id,
            lead,
            attempts: self.attempts,
            age: now - self.created,
            first_claimed: self.first_claimed.map(|at| now - at),
            message: self.message.clone(),
        };
        self.first_claimed.get_or_insert(now);
        claimed
    }
}

impl Messages {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it is new.
    pub(super) fn write(&mut self, message: OutboxMessage, now: Duration) -> bool {
        if !self.message_ids.insert(message.message_id.clone()) {
            return false;
        }
        self.last_id += 1;
        let status = Status::Pending { from: now + message.delay, again: false };
        let row = Row { message, status, attempts: 0, error: String::new(), created: now, first_claimed: None };
        self.rows.insert(self.last_id, row);
        true
    }

    pub(super) fn lead(&mut self, relay: &str, lease: Duration, busy: &[u16], now: Duration) -> Vec<Lead> {
        let (leads, changed) = self.leads.lead(relay, lease, busy, now);
        for row in self.rows.values_mut() {
            if matches!(row.status, Status::Publishing { lead } if changed.contains(&lead.shard)) {
                row.status = Status::Pending { from: now, again: false };
            }
        }
        leads
    }

    pub(super) fn resign(&mut self, relay: &str) {
        self.leads.resign(relay);
    }

    pub(super) fn claim(&mut self, relay: &str, leads: &[Lead], limit: u32, now: Duration) -> Vec<ClaimedMessage> {
        let mut claimed = Vec::new();
        let mut blocked: HashSet<String> = HashSet::new();
        for (&id, row) in &mut self.rows {
            let Status::Pending { from, again } = row.status else { continue };
            let shard = row.message.shard();
            let lead = leads.iter().find(|lead| lead.shard == shard && self.leads.holds(relay, **lead, now));
            let behind = row.message.key.as_ref().is_some_and(|key| blocked.contains(key));
            match lead {
                Some(lead) if !behind && from <= now && claimed.len() < limit as usize => {
                    claimed.push(row.claimed(id, *lead, now));
                }
                _ if again => blocked.extend(row.message.key.clone()),
                _ => {}
            }
        }
        claimed
    }

    /// Whether it was still this lead's.
    pub(super) fn settle(&mut self, settled: &SettledMessage, now: Duration) -> bool {
        let Some(row) = self.rows.get_mut(&settled.id) else { return false };
        if !matches!(row.status, Status::Publishing { lead } if lead == settled.lead) {
            return false;
        }
        row.status = match &settled.end {
            MessageEnd::Sent => Status::Sent { at: now },
            MessageEnd::Retry { after, error, counted } => {
                row.attempts += u32::from(*counted);
                row.error.clone_from(error);
                Status::Pending { from: now + *after, again: true }
            }
            MessageEnd::Failed { error } => {
                row.attempts += 1;
                row.error.clone_from(error);
                Status::Failed
            }
        };
        true
    }

    pub(super) fn delete_sent(&mut self, older_than: Duration, limit: u32, now: Duration) -> u64 {
        let is_old = |row: &Row| matches!(row.status, Status::Sent { at } if at + older_than < now);
        let old = self.rows.iter().filter(|(_, row)| is_old(row)).map(|(id, _)| *id).take(limit as usize);
        let old: Vec<i64> = old.collect();
        for row in old.iter().filter_map(|id| self.rows.remove(id)) {
            self.message_ids.remove(&row.message.message_id);
        }
        old.len() as u64
    }

    pub(super) fn depth(&self, now: Duration) -> OutboxDepth {
        let waiting = || self.rows.values().filter_map(Row::waits_since);
        OutboxDepth {
            pending: waiting().count() as u64,
            failed: self.rows.values().filter(|row| matches!(row.status, Status::Failed)).count() as u64,
            oldest: waiting().min().and_then(|since| now.checked_sub(since)),
        }
    }

    pub(super) fn failed(&self, limit: u32) -> Vec<FailedMessage> {
        let failed = self.rows.iter().filter(|(_, row)| matches!(row.status, Status::Failed));
        failed
            .take(limit as usize)
            .map(|(&id, row)| FailedMessage {
                id,
                event_id: row.message.event_id.clone(),
                subject: row.message.subject.clone(),
                attempts: row.attempts,
                error: row.error.clone(),
            })
            .collect()
    }

    pub(super) fn retry_failed(&mut self, id: i64, now: Duration) -> bool {
        let Some(row) = self.rows.get_mut(&id).filter(|row| matches!(row.status, Status::Failed)) else { return false };
        row.attempts = 0;
        row.status = Status::Pending { from: now, again: false };
        true
    }
}
