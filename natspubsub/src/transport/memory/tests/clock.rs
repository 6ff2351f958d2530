//! A clock that moves when it is told to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::clock::Clock;

#[derive(Debug)]
pub(super) struct TestClock {
    since: watch::Sender<Duration>,
    random: Mutex<u64>,
}

impl TestClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { since: watch::Sender::new(Duration::ZERO), random: Mutex::new(0) })
    }

    pub(super) fn advance(&self, time: Duration) {
        self.since.send_modify(|since| *since += time);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        "2026-01-02T03:04:05Z".parse::<Timestamp>().unwrap() + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        *self.since.borrow()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let (mut since, until) = (self.since.subscribe(), self.monotonic() + duration);
        Box::pin(async move {
            let _ = since.wait_for(|since| *since >= until).await;
        })
    }

    fn random(&self) -> u64 {
        let mut random = self.random.lock().unwrap();
        *random += 1;
        *random
    }
}
