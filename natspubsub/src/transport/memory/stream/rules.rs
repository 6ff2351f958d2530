//! What a stream's configuration says, in the terms of the broker.

use std::time::Duration;

use natspubsub_grammar::Pattern;

use super::super::refuse::{MESSAGE_SIZE, Refusal, SEALED};
use super::config::{is_set, limit, nanos, texts};
use super::log::Log;
use crate::transport::port::{AssetConfig, Outbound, config_text};

/// What the server writes around a message, in a file and in memory.
const FILE_OVERHEAD: usize = 30;
const FILE_HEADER_OVERHEAD: usize = 4;
const MEMORY_OVERHEAD: usize = 16;

/// When a message leaves, besides the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retention {
    Limits,
    /// When no consumer needs it.
    Interest,
    /// When it is answered.
    WorkQueue,
}

/// What a stream's configuration says.
#[derive(Debug)]
pub(in super::super) struct Rules {
    pub(super) subjects: Vec<Pattern>,
    pub(super) retention: Retention,
    pub(super) messages: Option<u64>,
    pub(super) bytes: Option<u64>,
    pub(super) per_subject: Option<u64>,
    pub(super) age: Option<Duration>,
    pub(super) consumers: Option<u64>,
    pub(super) duplicate_window: Duration,
    pub(super) deny_delete: bool,
    pub(super) deny_purge: bool,
    pub(super) ttl: bool,
    pub(super) schedules: bool,
    pub(super) atomic: bool,
    message_size: Option<u64>,
    discard_new: bool,
    discard_new_per_subject: bool,
    sealed: bool,
    in_memory: bool,
}

impl Rules {
    /// Of a completed configuration.
    pub(super) fn of(config: &AssetConfig) -> Self {
        Self {
            subjects: texts(config, "subjects").filter_map(|subject| Pattern::system(subject).ok()).collect(),
            retention: match config_text(config, "retention") {
                "interest" => Retention::Interest,
                "workqueue" => Retention::WorkQueue,
                _ => Retention::Limits,
            },
            messages: limit(config, "max_msgs"),
            bytes: limit(config, "max_bytes"),
            per_subject: limit(config, "max_msgs_per_subject"),
            age: Some(nanos(config, "max_age")).filter(|age| !age.is_zero()),
            consumers: limit(config, "max_consumers"),
            duplicate_window: nanos(config, "duplicate_window"),
            deny_delete: is_set(config, "deny_delete"),
            deny_purge: is_set(config, "deny_purge"),
            ttl: is_set(config, "allow_msg_ttl"),
            schedules: is_set(config, "allow_msg_schedules"),
            atomic: is_set(config, "allow_atomic"),
            message_size: limit(config, "max_msg_size"),
            discard_new: config_text(config, "discard") == "new",
            discard_new_per_subject: is_set(config, "discard_new_per_subject"),
            sealed: is_set(config, "sealed"),
            in_memory: config_text(config, "storage") == "memory",
        }
    }

    pub(super) fn takes(&self, subject: &str) -> bool {
        self.subjects.iter().any(|pattern| pattern.matches(subject))
    }

    /// What a message counts against `max_bytes`: subject, headers, body, and what the server writes around them.
    pub(super) fn size(&self, message: &Outbound) -> u64 {
        let headers = message.headers.wire_size();
        let around = match (self.in_memory, headers) {
            (true, _) => MEMORY_OVERHEAD,
            (false, 0) => FILE_OVERHEAD,
            (false, _) => FILE_OVERHEAD + FILE_HEADER_OVERHEAD,
        };
        (message.subject.len() + headers + message.body.len() + around) as u64
    }

    /// Refuses a message that no room would help.
    pub(super) fn check(&self, message: &Outbound) -> Result<(), Refusal> {
        if self.sealed {
            return Err(SEALED);
        }
        match self.message_size {
            Some(max) if message.size() as u64 > max => Err(MESSAGE_SIZE),
            _ => Ok(()),
        }
    }

    /// Refuses a message for which there is no room, where older ones do not make room: `before` are messages and bytes
    /// that are stored just before it.
    pub(super) fn check_room(&self, log: &Log, message: &Outbound, before: (u64, u64)) -> Result<(), Refusal> {
        if !self.discard_new {
            return Ok(());
        }
        let replaces = self.per_subject.is_some_and(|max| log.count_of(&message.subject) >= max);
        if replaces && self.discard_new_per_subject {
            return Err(Refusal::of(10077, "maximum messages per subject exceeded"));
        }
        if !replaces && self.messages.is_some_and(|max| log.count() + before.0 >= max) {
            return Err(Refusal::of(10077, "maximum messages exceeded"));
        }
        let freed = if replaces { log.first_size_of(&message.subject) } else { 0 };
        let bytes = log.bytes() + before.1 + self.size(message) - freed;
        match self.bytes {
            Some(max) if bytes > max => Err(Refusal::of(10077, "maximum bytes exceeded")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::Headers;

    #[test]
    fn sizes_are_those_of_the_server() {
        let rules = |storage: &str| Rules::of(json!({ "storage": storage }).as_object().unwrap());
        let message = |subject: &str, with_header: bool| {
            let mut headers = Headers::default();
            if with_header {
                headers.push("k", "v");
            }
            Outbound { subject: subject.into(), headers, body: "xxxxxxxxxx".into() }
        };
        assert_eq!(rules("file").size(&message("Z10False", false)), 48);
        assert_eq!(rules("file").size(&message("Z10True", true)), 69);
        assert_eq!(rules("memory").size(&message("Z10Falsem", false)), 35);
        assert_eq!(rules("memory").size(&message("Z10Truem", true)), 52);
    }
}
