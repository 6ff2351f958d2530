//! Consumers that were replaced, deleted once they are drained.

use std::time::Duration;

use super::generation::{REPLACED_BY, is_drained, newest, replaced};
use super::owner::{mark, marked, owner};
use crate::clock::SharedClock;
use crate::error::Result;
use crate::transport::{SharedTransport, Transport};

/// How often it is looked whether they are drained.
const LOOK: Duration = Duration::from_secs(30);

/// The replaced consumers of one durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drain {
    pub(super) stream: String,
    pub(super) durable: String,
    /// Consumers of another owner are left alone.
    pub(super) app: String,
}

impl Drain {
    /// Deletes what is drained; how many are left.
    async fn look(&self, transport: &dyn Transport) -> Result<usize> {
        let Self { stream, durable, app } = self;
        let consumers = transport.consumers(stream).await?;
        let Some(last) = newest(durable, &consumers) else { return Ok(0) };
        let mut left = 0;
        let mut own = replaced(durable, &consumers);
        own.retain(|old| owner(&old.config).is_none_or(|own| own == app));
        for old in own {
            if is_drained(old) {
                tracing::info!(
                    stream,
                    consumer = old.name,
                    by = last.name,
                    "the replaced consumer is drained; deleting it"
                );
                transport.delete_consumer(stream, &old.name).await?;
                continue;
            }
            left += 1;
            if mark(&old.config, REPLACED_BY).is_none() {
                let config = marked(old.config.clone(), &[(REPLACED_BY, &last.name)]);
                transport.update_consumer(stream, &config).await?;
            }
        }
        Ok(left)
    }
}

/// Looks once at each; those that have replaced consumers left.
pub(crate) async fn drain(drains: Vec<Drain>, transport: &dyn Transport) -> Vec<Drain> {
    let mut left = Vec::new();
    for drain in drains {
        match drain.look(transport).await {
            Ok(0) => {}
            Ok(_) => left.push(drain),
            Err(error) => {
                tracing::warn!(%error, stream = drain.stream, durable = drain.durable, "replaced consumers could not be looked at");
                left.push(drain);
            }
        }
    }
    left
}

/// Looks again and again, until none is left.
pub(crate) async fn drain_all(mut drains: Vec<Drain>, transport: SharedTransport, clock: SharedClock) {
    while !drains.is_empty() {
        clock.sleep(LOOK).await;
        drains = drain(drains, transport.as_ref()).await;
    }
}
