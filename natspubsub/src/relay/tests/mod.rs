//! Goal: the rules of the relay hold in every turn of events. Method: a store and a broker in memory, virtual time.

mod faulty;
mod leading;
mod publishing;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Board, RelayStats, Work};
use crate::clock::{PausedClock, SharedClock};
use crate::config::Config;
use crate::message::Headers;
use crate::store::{MemoryStore, OutboxMessage, OutboxStore, SharedOutbox};
use crate::transport::{SharedTransport, connect};

const SECOND: Duration = Duration::from_secs(1);

/// The stream of the application.
const STREAM: &str = "test-orders-stream";

/// An outbox and a broker.
struct Bench {
    store: MemoryStore,
    broker: SharedTransport,
    clock: SharedClock,
    config: Config,
}

/// A relay that runs.
struct Running {
    board: Arc<Board>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn stats(&self) -> RelayStats {
        self.board.stats()
    }

    async fn end(self) -> RelayStats {
        self.stop.cancel();
        self.task.await.unwrap();
        self.board.stats()
    }
}

impl Bench {
    /// Without a stream.
    async fn bare() -> Self {
        static BENCHES: AtomicU64 = AtomicU64::new(0);
        let url = format!("memory:relay-{}", BENCHES.fetch_add(1, Ordering::Relaxed));
        let config = Config::builder().url(url).env("test").app("orders").outbox_batch(16).outbox_max_attempts(3);
        let config = config.build().unwrap();
        let clock: SharedClock = PausedClock::shared();
        let broker = connect(&config, &clock, |_| {}).await.unwrap();
        Self { store: MemoryStore::on(clock.clone()), broker, clock, config }
    }

    async fn new() -> Self {
        let bench = Self::bare().await;
        bench.make_stream(STREAM, "test.orders.>").await;
        bench
    }

    async fn make_stream(&self, name: &str, subjects: &str) {
        let config = json!({ "name": name, "subjects": [subjects] });
        self.broker.create_stream(config.as_object().unwrap()).await.unwrap();
    }

    fn relay(&self) -> Running {
        self.relay_of(Arc::new(self.store.clone()))
    }

    fn relay_of(&self, store: SharedOutbox) -> Running {
        let (board, stop): (Arc<Board>, _) = (Arc::default(), CancellationToken::new());
        let work = Work::new(store, self.broker.clone(), self.clock.clone(), &self.config, board.clone());
        let task = tokio::task::spawn(work.run(stop.clone()));
        Running { board, stop, task }
    }

    /// Writes messages `{key}-1`, `{key}-2` and so on.
    fn write(&self, key: &str, numbers: std::ops::RangeInclusive<u32>) {
        self.store.write(numbers.map(|number| message(key, number, "test.orders.order.created")));
    }

    /// The ids of the stored messages, in their order.
    async fn stored(&self, stream: &str) -> Vec<String> {
        let mut stored = Vec::new();
        let mut last = 0;
        while let Some(next) = self.broker.stored_after(stream, last).await.unwrap() {
            last = next.sequence;
            stored.push(next.headers.get("Nats-Msg-Id").unwrap().to_owned());
        }
        stored
    }

    async fn until(&self, within: Duration, condition: impl AsyncFn() -> bool) {
        let begun = self.clock.monotonic();
        while !condition().await {
            assert!(self.clock.monotonic() - begun < within, "not within {within:?}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until nothing waits in the outbox.
    async fn drained(&self, within: Duration) {
        self.until(within, async || self.store.outbox_depth().await.unwrap().pending == 0).await;
    }
}

fn message(key: &str, number: u32, subject: &str) -> OutboxMessage {
    let id = format!("{key}-{number}");
    let mut headers = Headers::default();
    headers.push("Nats-Msg-Id", id.as_str());
    OutboxMessage {
        event_id: id.clone(),
        message_id: id,
        subject: subject.to_owned(),
        key: Some(key.to_owned()),
        headers,
        body: "{}".into(),
        delay: Duration::ZERO,
    }
}

/// The ids of one key out of all.
fn of(key: &str, ids: &[String]) -> Vec<String> {
    ids.iter().filter(|id| id.rsplit_once('-').unwrap().0 == key).cloned().collect()
}

fn ids(key: &str, numbers: std::ops::RangeInclusive<u32>) -> Vec<String> {
    numbers.map(|number| format!("{key}-{number}")).collect()
}
