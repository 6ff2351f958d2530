//! The last step of every publish: the size is checked, and the store is confirmed.

use std::fmt;
use std::time::Duration;

use tokio_util::task::TaskTracker;

use crate::clock::{SharedClock, timeout};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{Outbound, PublishFault, SharedTransport, Stored};

/// The pause before a publish is tried again; it covers the election of a stream's leader.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// The connection that messages leave by, and how.
pub(super) struct Outlet {
    pub(super) transport: SharedTransport,
    pub(super) clock: SharedClock,
    pub(super) config: Config,
    /// Publishes on their way; closed when the application ends.
    pub(super) under_way: TaskTracker,
}

impl Outlet {
    pub(super) fn check_size(&self, outbound: &Outbound) -> Result<()> {
        let (size, limit) = (outbound.size(), self.transport.max_payload());
        if size <= limit {
            return Ok(());
        }
        Err(self.too_large(&outbound.subject, size))
    }

    pub(super) fn too_large(&self, subject: &str, size: usize) -> Error {
        let limit = self.transport.max_payload();
        let text = format!(
            "a message for {subject} has {size} bytes, and the server takes {limit} (max_payload); send less, or store the body elsewhere and publish a reference"
        );
        Error::new(ErrorKind::PayloadTooLarge { size, limit }, text)
    }

    /// Refuses further messages and waits until those on their way have their answer.
    pub(super) async fn close(&self, limit: Duration) {
        self.under_way.close();
        if timeout(&*self.clock, limit, self.under_way.wait()).await.is_none() {
            tracing::warn!(
                messages = self.under_way.len(),
                "the server has not answered every publish; the rest may be stored"
            );
        }
    }

    /// Publishes until there is a certain answer, at most `publish_attempts` times. Trying again is safe: the message
    /// id makes the stream store it once.
    pub(super) async fn store(&self, outbound: &Outbound) -> Result<Stored> {
        // Counted before looking: what is not refused is waited for.
        let _under_way = self.under_way.token();
        if self.under_way.is_closed() {
            return Err(shutting_down(&outbound.subject));
        }
        let subject = &outbound.subject;
        let attempts = self.config.publish_attempts;
        let mut may_be_stored = false;
        let mut last = String::new();
        for attempt in 1..=attempts {
            match self.transport.publish(outbound.clone(), self.config.publish_timeout).await {
                Ok(stored) => return Ok(stored),
                // After an attempt without an answer, a refusal of the next says nothing about the first.
                Err(PublishFault::Rejected(reason)) if may_be_stored => {
                    last = reason;
                    break;
                }
                Err(PublishFault::Rejected(reason)) => {
                    return Err(Error::new(
                        ErrorKind::Rejected,
                        format!("the server did not store the message for {subject}: {reason}"),
                    ));
                }
                Err(PublishFault::NoStream) => {
                    last = "no stream takes this subject, or its leader is missing".to_owned()
                }
                Err(PublishFault::Unknown(reason)) => {
                    may_be_stored = true;
                    last = reason;
                }
            }
            if self.under_way.is_closed() && !may_be_stored {
                return Err(shutting_down(subject));
            }
            if self.under_way.is_closed() {
                break;
            }
            if attempt < attempts {
                tracing::warn!(subject, attempt, reason = last, "no confirmation; publishing again with the same id");
                self.clock.sleep(RETRY_PAUSE).await;
            }
        }
        let (kind, verdict) = match may_be_stored {
            true => (ErrorKind::Unknown, "it may be stored; publishing it again with the same event id is safe"),
            false => (ErrorKind::Rejected, "it is not stored"),
        };
        Err(Error::new(
            kind,
            format!("no confirmation for the message to {subject} after {attempts} attempt(s): {last}; {verdict}"),
        ))
    }
}

fn shutting_down(subject: &str) -> Error {
    let text = format!("the application is shutting down; the message for {subject} was not stored");
    Error::new(ErrorKind::ShuttingDown, text)
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").field("config", &self.config).finish_non_exhaustive()
    }
}
