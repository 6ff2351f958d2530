//! The port to JetStream and its two adapters: a NATS server, and a broker inside this process.

mod ack_subject;
mod api_fault;
mod memory;
mod nats;
mod port;

use crate::clock::SharedClock;
use crate::config::{Config, ServerUrl};
use crate::error::Result;
#[cfg(feature = "testing")]
pub(crate) use ack_subject::AckSubject;
pub(crate) use api_fault::ApiFault;
#[cfg(feature = "testing")]
#[allow(unused_imports, reason = "for tests in virtual time")]
pub(crate) use memory::facts_of;
pub(crate) use port::{
    Answer, AssetConfig, CONSUMING_LANE, Confirmation, ConsumerState, CoreMessage, CoreSubscription, Outbound,
    Progress, PublishFault, Pull, PullEvent, Received, ServerFacts, SharedTransport, Stored, Transport, Trial,
    config_text,
};

/// Connects to what the configuration names; `note` is told of every attempt that failed.
pub(crate) async fn connect(config: &Config, clock: &SharedClock, note: fn(&str)) -> Result<SharedTransport> {
    match &config.url {
        ServerUrl::Memory { name } => Ok(memory::connect(name, clock)),
        ServerUrl::Nats { .. } => nats::connect(config, clock, note).await,
    }
}
