//! What the tests of faults stand on: time that moves when everybody waits, a broker, a message.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::runtime::Handle;

use super::crashes::Crashes;
use super::plan::Faults;
use super::profile::Profile;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::message::Headers;
use crate::message::headers::MESSAGE_ID;
use crate::testing::clock::VirtualClock;
use crate::testing::dice::Dice;
use crate::transport::{Outbound, PullEvent, SharedTransport, connect};

/// The clock of this runtime, whose time is paused.
pub(super) fn paused_clock() -> SharedClock {
    let clock = VirtualClock::new(Timestamp::UNIX_EPOCH, Dice::new(0, "clock"));
    clock.enter(&Handle::current());
    Arc::new(clock)
}

pub(super) const STREAM: &str = "S";
pub(super) const CONSUMER: &str = "c";

/// A broker with one stream and one consumer, and a process that is connected to it.
pub(super) struct Bench {
    pub(super) faults: Arc<Faults>,
    /// Without faults.
    pub(super) broker: SharedTransport,
    /// With faults.
    pub(super) transport: SharedTransport,
    pub(super) life: Arc<Crashes>,
}

impl Bench {
    pub(super) async fn new(name: &str, seed: u64, profile: Profile) -> Self {
        let clock = paused_clock();
        // What a dead process left pending keeps its broker.
        static BENCHES: AtomicU64 = AtomicU64::new(0);
        let number = BENCHES.fetch_add(1, Ordering::Relaxed);
        let config = Config::builder().url(format!("memory:{name}-{number}")).app("faults").build().unwrap();
        let broker = connect(&config, &clock, |_| {}).await.unwrap();
        let object = |value: serde_json::Value| value.as_object().unwrap().clone();
        broker.create_stream(&object(json!({ "name": STREAM, "subjects": ["a.>"] }))).await.unwrap();
        let consumer = json!({ "name": CONSUMER, "durable_name": CONSUMER, "ack_policy": "explicit", "ack_wait": 2_000_000_000_u64 });
        broker.create_consumer(STREAM, &object(consumer)).await.unwrap();
        let faults = Faults::new(seed, profile, clock);
        let (transport, life) = faults.connect(broker.clone());
        faults.begin();
        Self { faults, broker, transport, life }
    }

    /// The process dies, and another one begins.
    pub(super) fn restart(&mut self) {
        (self.transport, self.life) = self.faults.connect(self.broker.clone());
        self.faults.begin();
    }

    pub(super) fn message(number: u64) -> Outbound {
        let mut headers = Headers::default();
        headers.push(MESSAGE_ID, number.to_string());
        Outbound { subject: "a.b".into(), headers, body: number.to_string().into() }
    }

    /// Stores messages past all faults.
    pub(super) async fn store(&self, count: u64) {
        for number in 1..=count {
            self.broker.publish(0, &Self::message(number), Duration::from_secs(1)).await.unwrap();
        }
    }

    /// The next deliveries within a virtual time: number of the message, number of the delivery, token.
    pub(super) async fn take(&self, wanted: u32, within: Duration) -> Vec<(u64, u64, String)> {
        let mut pull = self.transport.pull(STREAM, CONSUMER).await.unwrap();
        pull.request(wanted, within).await.unwrap();
        let (mut taken, end) = (Vec::new(), self.faults.clock.monotonic() + within);
        while taken.len() < wanted as usize {
            let left = end.saturating_sub(self.faults.clock.monotonic());
            match tokio::time::timeout(left, pull.next()).await {
                Ok(PullEvent::Message(received)) => {
                    taken.push((received.sequence, received.deliveries, received.token))
                }
                Ok(PullEvent::Reset) if pull.is_ready() => pull.request(wanted, left).await.unwrap(),
                Ok(PullEvent::Gone(_)) | Err(_) => break,
                Ok(_) => {}
            }
        }
        taken
    }

    pub(super) fn lines(&self, part: &str) -> usize {
        self.faults.trace().lines().iter().filter(|line| line.contains(part)).count()
    }
}
