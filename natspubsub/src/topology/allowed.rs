//! What a stream must be allowed before some messages can be stored, allowed when the first of them asks for it.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::clock::{Clock, timeout};
use crate::config::{Config, Manage, manage_name};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{AssetConfig, Transport};

/// Something that a stream can be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Feature {
    MessageTtl,
    Schedules,
    AtomicBatches,
}

/// How often a change is tried that another process may have crossed.
const ATTEMPTS: u32 = 3;

/// The features that were seen to be allowed.
#[derive(Debug, Default)]
pub(crate) struct Allowed {
    features: [AtomicBool; 3],
    turn: Mutex<()>,
}

impl Allowed {
    /// Looks again before the next message that asks for something.
    pub(crate) fn forget(&self) {
        self.features.iter().for_each(|allowed| allowed.store(false, Ordering::Relaxed));
    }
}

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

/// The application's stream, and who changes it.
#[derive(Clone, Copy)]
pub(crate) struct StreamOf<'a> {
    pub(crate) transport: &'a dyn Transport,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) config: &'a Config,
}

impl Allowed {
    /// Sees to it that the application's stream allows a feature.
    pub(crate) async fn ensure(&self, feature: Feature, stream: StreamOf<'_>) -> Result<()> {
        let allowed = &self.features[feature as usize];
        if allowed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let limit = stream.config.publish_timeout;
        let allow = async {
            // One after the other: each writes the whole configuration of the stream.
            let _turn = self.turn.lock().await;
            stream.allow(feature).await
        };
        match timeout(stream.clock, limit, allow).await {
            Some(done) => done?,
            None => {
                let kind = if stream.transport.is_connected() { ErrorKind::Rejected } else { ErrorKind::Connect };
                let (stream, field) = (stream.config.namespace.stream(), feature.field());
                let text = format!(
                    "no answer about {field} of stream {stream:?} within {limit:?} (publish_timeout); the message is not stored"
                );
                return Err(Error::new(kind, text));
            }
        }
        allowed.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl StreamOf<'_> {
    async fn allow(&self, feature: Feature) -> Result<()> {
        let (stream, field) = (self.config.namespace.stream(), feature.field());
        let refuse = |text: String| Err(Error::new(ErrorKind::Rejected, text));
        let (major, minor) = feature.version_min();
        if !self.transport.is_at_least(major, minor) {
            return refuse(format!(
                "{field} of stream {stream:?} needs nats-server {major}.{minor}: {}",
                self.transport.describe()
            ));
        }
        let mut attempt = 1;
        loop {
            let Some(mut config) = self.transport.stream(&stream).await? else {
                return refuse(format!("stream {stream:?} does not exist"));
            };
            if !self.change(feature, &mut config) {
                return Ok(());
            }
            if self.config.manage != Manage::Apply {
                let manage = manage_name(self.config.manage);
                return refuse(format!(
                    "stream {stream:?} does not have {field}, and manage = {manage:?} changes nothing; set it there, or start once with manage = \"apply\""
                ));
            }
            tracing::info!(stream, field, "the stream is allowed what a message asks for");
            match self.transport.update_stream(&config).await {
                // Another process may have allowed something since it was read, which cannot be taken back.
                Err(_) if attempt < ATTEMPTS => attempt += 1,
                updated => return updated,
            }
        }
    }

    /// Whether the configuration of the stream is another now.
    fn change(&self, feature: Feature, config: &mut AssetConfig) -> bool {
        let field = feature.field();
        let mut is_changed = config.get(field) != Some(&Value::Bool(true));
        config.insert(field.to_owned(), json!(true));
        let schedules = self.config.namespace.schedule_subjects();
        if feature == Feature::Schedules
            && let Some(Value::Array(subjects)) = config.get_mut("subjects")
            && !subjects.contains(&json!(schedules))
        {
            subjects.push(json!(schedules));
            is_changed = true;
        }
        is_changed
    }
}
