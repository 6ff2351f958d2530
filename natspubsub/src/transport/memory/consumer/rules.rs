//! What a consumer's configuration says, in the terms of the broker.

use std::time::Duration;

use natspubsub_grammar::Pattern;
use serde_json::Value;

use super::super::stream::config::{limit, nanos};
use super::config::filters;
use crate::transport::port::{AssetConfig, config_text};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AckPolicy {
    /// Delivered is answered.
    Nothing,
    /// An acknowledgement stands for everything before it too.
    All,
    Explicit,
}

/// What a consumer's configuration says.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) filters: Vec<Pattern>,
    pub(super) ack_policy: AckPolicy,
    pub(super) ack_pending_max: Option<u64>,
    pub(super) deliveries_max: Option<u64>,
    pub(super) waiting_max: usize,
    /// How long it exists without being used.
    pub(super) idle: Option<Duration>,
    ack_wait: Duration,
    backoff: Vec<Duration>,
}

impl Rules {
    /// Of a completed configuration.
    pub(super) fn of(config: &AssetConfig) -> Self {
        let waits = config.get("backoff").and_then(Value::as_array).into_iter().flatten();
        Self {
            filters: filters(config).filter_map(|filter| Pattern::system(filter).ok()).collect(),
            ack_policy: match config_text(config, "ack_policy") {
                "none" => AckPolicy::Nothing,
                "all" => AckPolicy::All,
                _ => AckPolicy::Explicit,
            },
            ack_pending_max: limit(config, "max_ack_pending"),
            deliveries_max: limit(config, "max_deliver"),
            waiting_max: limit(config, "max_waiting").map_or(usize::MAX, |max| max as usize),
            idle: Some(nanos(config, "inactive_threshold")).filter(|idle| !idle.is_zero()),
            ack_wait: nanos(config, "ack_wait"),
            backoff: waits.filter_map(Value::as_u64).map(Duration::from_nanos).collect(),
        }
    }

    pub(super) fn matches(&self, subject: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| filter.matches(subject))
    }

    /// How long an answer to the delivery of this number may take.
    pub(super) fn wait(&self, deliveries: u64) -> Duration {
        let last = self.backoff.len().saturating_sub(1);
        let index = usize::try_from(deliveries.saturating_sub(1)).map_or(last, |index| index.min(last));
        self.backoff.get(index).copied().unwrap_or(self.ack_wait)
    }

    /// How long a delay really is: the server counts it as a part of the wait, which a list of waits makes longer.
    pub(super) fn delay(&self, deliveries: u64, delay: Duration) -> Duration {
        (delay + self.wait(deliveries)).saturating_sub(self.ack_wait)
    }
}
