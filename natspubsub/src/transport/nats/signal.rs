//! In-progress signals on a connection of their own.
//!
//! A connection's task runs where it was made. This one is made on the keeper's thread, so that a handler that
//! blocks every thread of the application cannot keep the signals from being sent.

use async_nats::Client;
use async_trait::async_trait;
use bytes::Bytes;

use super::connect::Settings;
use super::send;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::port::Signaller;

const IN_PROGRESS: Bytes = Bytes::from_static(b"+WPI");

pub(super) struct NatsSignaller {
    client: Client,
}

impl NatsSignaller {
    pub(super) async fn connect(settings: &Settings) -> Result<Self> {
        let client = settings.attempt(None).await.map_err(|error| {
            Error::new(ErrorKind::Connect, format!("no second connection to {} for in-progress signals", settings.url))
                .with_source(error)
        })?;
        Ok(Self { client })
    }
}

#[async_trait]
impl Signaller for NatsSignaller {
    async fn in_progress(&mut self, tokens: &[String]) -> Result<()> {
        for token in tokens {
            send("an in-progress signal", self.client.publish(token.clone(), IN_PROGRESS)).await?;
        }
        send("in-progress signals", self.client.flush()).await
    }
}
