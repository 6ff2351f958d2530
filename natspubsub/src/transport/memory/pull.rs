//! Pull requests against the broker of this process.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::broker::Broker;
use super::consumer::Taken;
use crate::error::Result;
use crate::transport::port::{Pull, PullEvent};

pub(super) struct MemoryPull {
    broker: Arc<Broker>,
    stream: String,
    durable: String,
    /// Open requests: what is left of each, and when it ends.
    requests: VecDeque<(u32, Duration)>,
    stopped: bool,
}

impl MemoryPull {
    pub(super) fn new(broker: Arc<Broker>, stream: &str, durable: &str) -> Self {
        Self {
            broker,
            stream: stream.to_owned(),
            durable: durable.to_owned(),
            requests: VecDeque::new(),
            stopped: false,
        }
    }

    fn fill_one(&mut self) {
        if let Some((left, _)) = self.requests.front_mut() {
            *left -= 1;
            if *left == 0 {
                self.requests.pop_front();
            }
        }
    }

    /// What can be told at once, or when to look again.
    fn look(&mut self) -> Result<PullEvent, Option<Duration>> {
        if self.stopped {
            return Ok(PullEvent::Stopped);
        }
        let now = self.broker.clock.monotonic();
        if let Some((left, ends)) = self.requests.front().copied()
            && ends <= now
        {
            self.requests.pop_front();
            return Ok(PullEvent::Ended { unfilled: left });
        }
        let Some((_, ends)) = self.requests.front().copied() else { return Err(None) };
        match self.broker.take(&self.stream, &self.durable) {
            Taken::Delivery(received) => {
                self.fill_one();
                Ok(PullEvent::Message(received))
            }
            Taken::Gone => {
                self.requests.clear();
                Ok(PullEvent::Gone(format!("consumer {:?} of stream {:?} does not exist", self.durable, self.stream)))
            }
            Taken::Due(due) => Err(Some(due.min(ends).saturating_sub(now))),
            Taken::Nothing => Err(Some(ends.saturating_sub(now))),
        }
    }
}

#[async_trait]
impl Pull for MemoryPull {
    fn is_ready(&self) -> bool {
        true
    }

    async fn request(&mut self, batch: u32, expires: Duration) -> Result<()> {
        let ends = self.broker.clock.monotonic() + expires;
        self.requests.push_back((batch, ends));
        Ok(())
    }

    async fn next(&mut self) -> PullEvent {
        let broker = self.broker.clone();
        loop {
            let bell = broker.changed().notified();
            let mut bell = std::pin::pin!(bell);
            bell.as_mut().enable();
            match self.look() {
                Ok(event) => return event,
                Err(None) => bell.await,
                Err(Some(wait)) => {
                    let _ = futures::future::select(bell, broker.clock.sleep(wait)).await;
                }
            }
        }
    }

    async fn stop(&mut self) {
        self.requests.clear();
        self.stopped = true;
    }
}
