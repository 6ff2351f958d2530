//! What the client tells of its connection: a line in the log for each event, and word to those who wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_nats::Event;
use tokio::sync::watch;

use super::denial::{Denial, Denials};
use super::replies::Replies;
use crate::clock::SharedClock;

/// What is known of one connection; cheap to clone.
#[derive(Clone)]
pub(super) struct Watched {
    pub(super) clock: SharedClock,
    /// Counts the connections made.
    pub(super) made: Arc<watch::Sender<u64>>,
    pub(super) denials: Arc<Denials>,
    pub(super) replies: Arc<Replies>,
    refused: Refused,
}

/// Set while the server refuses the login.
#[derive(Debug, Clone, Default)]
pub(super) struct Refused(Arc<AtomicBool>);

impl Refused {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Watched {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            made: Arc::new(watch::channel(0).0),
            denials: Arc::default(),
            replies: Arc::default(),
            refused: Refused::default(),
        }
    }

    /// Whether the server refuses the login.
    pub(super) fn refused(&self) -> Refused {
        self.refused.clone()
    }

    /// Hears one event. The client drops events when this is slow, so it waits for nothing.
    pub(super) fn hear(&self, event: &Event) {
        match event {
            Event::Connected => {
                tracing::info!("connected");
                self.refused.0.store(false, Ordering::Relaxed);
                self.denials.connected();
                self.replies.connected();
                self.made.send_modify(|made| *made += 1);
            }
            Event::Disconnected => {
                tracing::warn!("disconnected; reconnecting");
                self.replies.break_off();
            }
            Event::LameDuckMode => tracing::warn!("the server is about to stop, and will close this connection"),
            Event::SlowConsumer(subscription) => {
                tracing::error!(
                    subscription,
                    "the client dropped messages, because this process takes them too slowly: deliveries come again after ack_wait, messages of core NATS do not"
                )
            }
            Event::ServerError(error) => self.server_error(&error.to_string()),
            Event::ClientError(error) => self.client_error(&error.to_string()),
            other => tracing::info!(event = %other, "connection event"),
        }
    }

    fn client_error(&self, text: &str) {
        if text.contains("authorization") {
            tracing::error!(error = text, "the server refuses the login; trying again every 30 seconds");
            self.refused.0.store(true, Ordering::Relaxed);
        } else {
            tracing::warn!(error = text, "the client reported an error");
        }
    }

    fn server_error(&self, text: &str) {
        tracing::error!(error = text, "the server reported an error");
        if let Some(denial) = Denial::read(text) {
            self.replies.deny(&denial);
            self.denials.note(&denial);
        }
    }
}
