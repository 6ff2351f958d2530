//! Where a consumer stands in its stream.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::super::stream::log::Log;
use super::rules::Rules;
use crate::transport::port::{AssetConfig, config_text};

/// Where a consumer stands in its stream.
pub(super) struct Cursor {
    /// The number from which new messages are taken.
    next: u64,
    /// The last number that was delivered, or the last before the start.
    delivered: u64,
    /// Messages of its own from `next` on.
    backlog: u64,
    /// With `last_per_subject`: the messages of the past that count, and where the past ends.
    only: Option<(BTreeSet<u64>, u64)>,
}

impl Cursor {
    /// Where the deliver policy begins.
    pub(super) fn start(config: &AssetConfig, rules: &Rules, log: &Log) -> Self {
        let end = log.last() + 1;
        let mine = || log.from(0).filter(|(_, kept)| rules.matches(&kept.message.subject));
        let mut only = None;
        let next = match config_text(config, "deliver_policy") {
            "new" => end,
            "last" => mine().next_back().map_or(end, |(sequence, _)| sequence),
            "by_start_sequence" => config.get("opt_start_seq").and_then(Value::as_u64).unwrap_or(1).max(log.first()),
            "by_start_time" => {
                let time: Option<Timestamp> = config_text(config, "opt_start_time").parse().ok();
                let mut later = log.from(0).filter(|(_, kept)| time.is_none_or(|time| kept.stored_at >= time));
                later.next().map_or(end, |(sequence, _)| sequence)
            }
            "last_per_subject" => {
                let last: BTreeMap<&str, u64> =
                    mine().map(|(sequence, kept)| (kept.message.subject.as_str(), sequence)).collect();
                let last: BTreeSet<u64> = last.into_values().collect();
                let first = last.first().copied().unwrap_or(end);
                only = Some((last, log.last()));
                first
            }
            _ => log.first(),
        };
        let mut cursor = Self { next, delivered: next - 1, backlog: 0, only };
        cursor.recount(rules, log);
        cursor
    }

    /// After the filters changed. What was passed over with the old ones stays behind.
    pub(super) fn recount(&mut self, rules: &Rules, log: &Log) {
        let ahead = log.from(self.next).filter(|(sequence, kept)| self.counts(rules, *sequence, &kept.message.subject));
        self.backlog = ahead.count() as u64;
    }

    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    pub(super) fn backlog(&self) -> u64 {
        self.backlog
    }

    fn counts(&self, rules: &Rules, sequence: u64, subject: &str) -> bool {
        let is_left_out = self.only.as_ref().is_some_and(|(only, past)| sequence <= *past && !only.contains(&sequence));
        !is_left_out && rules.matches(subject)
    }

    /// Whether a message lies ahead that the consumer will deliver.
    pub(super) fn awaits(&self, rules: &Rules, sequence: u64, subject: &str) -> bool {
        sequence >= self.next && self.counts(rules, sequence, subject)
    }

    pub(super) fn stored(&mut self, rules: &Rules, sequence: u64, subject: &str) -> bool {
        let is_mine = self.awaits(rules, sequence, subject);
        self.backlog += u64::from(is_mine);
        is_mine
    }

    pub(super) fn removed(&mut self, rules: &Rules, sequence: u64, subject: &str) {
        self.backlog -= u64::from(self.awaits(rules, sequence, subject));
    }

    /// The next message of its own. Who looks passes over everything before it.
    pub(super) fn advance(&mut self, rules: &Rules, log: &Log) -> Option<u64> {
        if self.backlog == 0 {
            self.next = self.next.max(log.last() + 1);
            return None;
        }
        let mut ahead = log.from(self.next);
        let (sequence, _) = ahead.find(|(sequence, kept)| self.counts(rules, *sequence, &kept.message.subject))?;
        self.next = sequence + 1;
        self.delivered = sequence;
        self.backlog -= 1;
        Some(sequence)
    }
}
