//! What a stream must be allowed before some messages can be stored, allowed when the first of them asks for it.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::outlet::Outlet;
use crate::error::{Error, ErrorKind, Result};

/// Something that a stream can be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feature {
    MessageTtl,
    Schedules,
    AtomicBatches,
}

/// The features that were seen to be allowed.
#[derive(Debug, Default)]
pub(super) struct Allowed([AtomicBool; 3]);

impl Feature {
    fn field(self) -> &'static str {
        match self {
            Self::MessageTtl => "allow_msg_ttl",
            Self::Schedules => "allow_msg_schedules",
            Self::AtomicBatches => "allow_atomic",
        }
    }

    /// The first server with it. An older one drops the field silently, and would store the message as any other.
    fn version_min(self) -> (u32, u32) {
        match self {
            Self::MessageTtl => (2, 11),
            Self::Schedules | Self::AtomicBatches => (2, 12),
        }
    }
}

impl Outlet {
    /// Sees to it that the application's stream allows a feature.
    pub(super) async fn ensure(&self, feature: Feature) -> Result<()> {
        let allowed = &self.allowed.0[feature as usize];
        if allowed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (stream, field) = (self.config.namespace.stream(), feature.field());
        let refuse = |text: String| Err(Error::new(ErrorKind::Rejected, text));
        let (major, minor) = feature.version_min();
        if !self.transport.is_at_least(major, minor) {
            return refuse(format!(
                "{field} of stream {stream:?} needs nats-server {major}.{minor}: {}",
                self.transport.describe()
            ));
        }
        let Some(mut config) = self.transport.stream(&stream).await? else {
            return refuse(format!("stream {stream:?} does not exist"));
        };
        let schedules = self.config.namespace.schedule_subjects();
        let mut is_changed = config.get(field) != Some(&Value::Bool(true));
        config.insert(field.to_owned(), json!(true));
        if feature == Feature::Schedules
            && let Some(Value::Array(subjects)) = config.get_mut("subjects")
            && !subjects.contains(&json!(schedules))
        {
            subjects.push(json!(schedules));
            is_changed = true;
        }
        if is_changed {
            tracing::info!(stream, field, "the stream is allowed what a message asks for");
            self.transport.update_stream(&config).await?;
        }
        allowed.store(true, Ordering::Relaxed);
        Ok(())
    }
}
