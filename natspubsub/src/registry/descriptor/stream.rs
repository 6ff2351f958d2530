//! What one `#[stream]` declared.

use super::Origin;

/// What one `#[stream]` declared.
#[derive(Debug)]
pub struct StreamDescriptor {
    /// Where it stands.
    pub origin: Origin,
    /// The options that were written.
    pub options: StreamOptions,
}

/// The options of one stream as they were written; `None` is the default. Texts were checked at compile time.
#[derive(Debug, Clone, Copy)]
pub struct StreamOptions {
    /// The name of the stream.
    pub name: Option<&'static str>,
    /// The subjects that it stores.
    pub subjects: Option<&'static [&'static str]>,
    /// The number of the first message.
    pub first_sequence: Option<u64>,
    /// A text for people.
    pub description: Option<&'static str>,
    /// `limits`, `interest` or `workqueue`.
    pub retention: Option<&'static str>,
    /// `file` or `memory`.
    pub storage: Option<&'static str>,
    /// Servers that keep a copy.
    pub replicas: Option<u32>,
    /// How long messages are kept, in nanoseconds; 0 is for ever.
    pub max_age_ns: Option<u64>,
    /// The most messages.
    pub max_messages: Option<u64>,
    /// The most messages of one subject.
    pub max_messages_per_subject: Option<u64>,
    /// The most bytes.
    pub max_bytes: Option<u64>,
    /// The largest message, in bytes.
    pub max_message_size: Option<u64>,
    /// The most consumers.
    pub max_consumers: Option<u32>,
    /// `old` or `new`.
    pub discard: Option<&'static str>,
    /// Whether `discard = "new"` counts each subject alone.
    pub discard_new_per_subject: Option<bool>,
    /// How long a message id is remembered, in nanoseconds.
    pub duplicate_window_ns: Option<u64>,
    /// `none` or `s2`.
    pub compression: Option<&'static str>,
    /// Whether single messages cannot be deleted.
    pub deny_delete: Option<bool>,
    /// Whether the stream cannot be emptied.
    pub deny_purge: Option<bool>,
    /// Whether a message may replace all earlier ones.
    pub allow_rollup: Option<bool>,
    /// Whether every replica may answer reads.
    pub allow_direct: Option<bool>,
    /// Whether a message may carry a time to live.
    pub allow_message_ttl: Option<bool>,
    /// The stream that this one copies.
    pub mirror: Option<&'static str>,
    /// The streams that this one gathers.
    pub sources: Option<&'static [&'static str]>,
    /// From and to, of a subject mapping.
    pub transform: Option<&'static [(&'static str, &'static str)]>,
    /// From and to, of what is published again.
    pub republish: Option<&'static [(&'static str, &'static str)]>,
    /// The cluster that holds the stream.
    pub placement_cluster: Option<&'static str>,
    /// Tags that the servers must have.
    pub placement_tags: Option<&'static [&'static str]>,
    /// Keys and values for people and tools.
    pub metadata: Option<&'static [(&'static str, &'static str)]>,
}

impl StreamOptions {
    /// No option was written.
    pub const UNWRITTEN: Self = Self {
        name: None,
        subjects: None,
        first_sequence: None,
        description: None,
        retention: None,
        storage: None,
        replicas: None,
        max_age_ns: None,
        max_messages: None,
        max_messages_per_subject: None,
        max_bytes: None,
        max_message_size: None,
        max_consumers: None,
        discard: None,
        discard_new_per_subject: None,
        duplicate_window_ns: None,
        compression: None,
        deny_delete: None,
        deny_purge: None,
        allow_rollup: None,
        allow_direct: None,
        allow_message_ttl: None,
        mirror: None,
        sources: None,
        transform: None,
        republish: None,
        placement_cluster: None,
        placement_tags: None,
        metadata: None,
    };
}
