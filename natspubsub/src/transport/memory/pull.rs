//! Pull requests against the broker of this process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::select;

use super::broker::Broker;
use super::consumer::Mailbox;
use crate::error::Result;
use crate::transport::port::{Pull, PullEvent};

/// What is on its way to a pull that is dropped is delivered again after `ack_wait`, as with a connection that breaks.
pub(super) struct MemoryPull {
    broker: Arc<Broker>,
    stream: String,
    durable: String,
    mailbox: Arc<Mailbox>,
    stopped: bool,
}

impl MemoryPull {
    pub(super) fn new(broker: Arc<Broker>, stream: &str, durable: &str) -> Self {
        Self { broker, stream: stream.to_owned(), durable: durable.to_owned(), mailbox: Arc::default(), stopped: false }
    }
}

#[async_trait]
impl Pull for MemoryPull {
    fn is_ready(&self) -> bool {
        true
    }

    async fn request(&mut self, batch: u32, expires: Duration) -> Result<()> {
        self.broker.request(&self.stream, &self.durable, &self.mailbox, batch, expires);
        Ok(())
    }

    async fn next(&mut self) -> PullEvent {
        loop {
            let alarm = self.broker.alarm().notified();
            let mut alarm = std::pin::pin!(alarm);
            alarm.as_mut().enable();
            if let Some(event) = self.mailbox.take() {
                return event;
            }
            if self.stopped {
                return PullEvent::Stopped;
            }
            let wait = self.broker.look(&self.stream, &self.durable);
            if let Some(event) = self.mailbox.take() {
                return event;
            }
            let bell = std::pin::pin!(self.mailbox.bell().notified());
            let rung = select(bell, alarm);
            match wait {
                None => {
                    rung.await;
                }
                Some(wait) => {
                    select(rung, self.broker.clock.sleep(wait)).await;
                }
            }
        }
    }

    async fn stop(&mut self) {
        self.broker.withdraw(&self.stream, &self.durable, &self.mailbox);
        self.stopped = true;
    }
}

impl Drop for MemoryPull {
    fn drop(&mut self) {
        self.broker.withdraw(&self.stream, &self.durable, &self.mailbox);
    }
}
