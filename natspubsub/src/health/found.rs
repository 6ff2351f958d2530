//! What one look at something found.

use crate::handler::HealthStatus;

/// The longest message of a check, in bytes.
const MESSAGE_BYTES_MAX: usize = 1_024;

/// What one look at something found, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) status: HealthStatus,
    pub(crate) message: String,
}

impl Found {
    pub(crate) fn new(status: HealthStatus, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > MESSAGE_BYTES_MAX {
            let end = (0..=MESSAGE_BYTES_MAX).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
            message.truncate(end);
            message.push('…');
        }
        Self { status, message }
    }

    pub(crate) fn healthy(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Healthy, message)
    }

    pub(crate) fn degraded(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Degraded, message)
    }

    pub(crate) fn unhealthy(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Unhealthy, message)
    }

    /// Degraded by these problems, or as well as this says.
    pub(crate) fn by_problems(problems: &[String], well: impl Into<String>) -> Self {
        if problems.is_empty() { Self::healthy(well) } else { Self::degraded(problems.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_between_characters() {
        let found = Found::unhealthy("ä".repeat(MESSAGE_BYTES_MAX));
        assert_eq!(found.message.chars().count(), MESSAGE_BYTES_MAX / 2 + 1);
        assert!(found.message.ends_with("ä…"));
        assert_eq!(Found::by_problems(&["a".into(), "b".into()], "well"), Found::degraded("a; b"));
        assert_eq!(Found::by_problems(&[], "well"), Found::healthy("well"));
    }
}
