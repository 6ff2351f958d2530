//! What brokers model: the server by its version, memory by a list.

/// Something that not every broker has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    AtomicBatches,
    MessageTtl,
    Schedules,
    Advisories,
    Replicas,
    Storage,
    Mirrors,
    Republish,
    SubjectTransforms,
    Rollup,
    AccountLimits,
    Permissions,
    Clusters,
    Restarts,
    Outages,
    UnreadableHeaders,
    ConsumerPause,
    PriorityGroups,
    Push,
    Replay,
    HeadersOnly,
    PullLimits,
    Sizes,
}

use Feature::*;

impl Feature {
    pub(crate) const ALL: [Self; 23] = [
        AtomicBatches,
        MessageTtl,
        Schedules,
        Advisories,
        Replicas,
        Storage,
        Mirrors,
        Republish,
        SubjectTransforms,
        Rollup,
        AccountLimits,
        Permissions,
        Clusters,
        Restarts,
        Outages,
        UnreadableHeaders,
        ConsumerPause,
        PriorityGroups,
        Push,
        Replay,
        HeadersOnly,
        PullLimits,
        Sizes,
    ];

    /// As docs/memory-broker.md names it.
    pub(crate) fn words(self) -> &'static str {
        match self {
            AtomicBatches => "atomic batches",
            MessageTtl => "the lifetime of a single message (`Nats-TTL`)",
            Schedules => "delayed messages (`Nats-Schedule`)",
            Advisories => "advisories about exhausted deliveries",
            Replicas => "replicas",
            Storage => "storage",
            Mirrors => "mirrors and sources",
            Republish => "republishing",
            SubjectTransforms => "subject transforms",
            Rollup => "rollup headers",
            AccountLimits => "limits of the account",
            Permissions => "permissions and logins",
            Clusters => "clusters and leaders",
            Restarts => "restarts",
            Outages => "lost connections",
            UnreadableHeaders => "headers that cannot be read",
            ConsumerPause => "paused consumers",
            PriorityGroups => "priority groups",
            Push => "push consumers",
            Replay => "the original pace (`replay_policy`)",
            HeadersOnly => "deliveries without bodies (`headers_only`)",
            PullLimits => "limits of single pulls",
            Sizes => "sizes on disk",
        }
    }

    /// The first version of nats-server that has it; what is older than every supported version has none.
    fn since(self) -> (u32, u32) {
        match self {
            AtomicBatches | Schedules => (2, 12),
            MessageTtl => (2, 11),
            _ => (0, 0),
        }
    }

    /// Whether the broker inside the process has it.
    pub(crate) fn is_in_memory(self) -> bool {
        matches!(self, AtomicBatches | MessageTtl | Schedules | Advisories)
    }

    /// Whether a server has it.
    pub(crate) fn is_on_server(self, is_at_least: impl Fn(u32, u32) -> bool) -> bool {
        let (major, minor) = self.since();
        is_at_least(major, minor)
    }
}
