//! Goal: a handling without a transaction keeps its lease until it is written down, however long the database takes for it.
//! Method: a store whose end of a handling takes twice the lease, and the same event twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::store::{
    Claim, ClaimedMessage, FailedMessage, InboxDepth, InboxKey, InboxStore, Lead, MemoryStore, OutboxDepth,
    OutboxStore, SettledMessage,
};
use natspubsub_tests::{NatsServer, config};

const LEASE: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(20);

/// A store that is slow to write down an end, as a database is where many write.
#[derive(Clone, Default)]
struct SlowEnd(MemoryStore);

impl InboxStore for SlowEnd {
    async fn check_inbox_table(&self) -> Result<()> {
        self.0.check_inbox_table().await
    }

    async fn claim_handling(&self, key: &InboxKey, lease: Duration) -> Result<Claim> {
        assert_eq!(lease, LEASE);
        self.0.claim_handling(key, lease).await
    }

    async fn renew_handling(&self, key: &InboxKey, fence: i64, lease: Duration) -> Result<bool> {
        self.0.renew_handling(key, fence, lease).await
    }

    async fn finish_handling(&self, key: &InboxKey, fence: i64) -> Result<bool> {
        tokio::time::sleep(2 * LEASE).await;
        self.0.finish_handling(key, fence).await
    }

    async fn give_handling_back(&self, key: &InboxKey, fence: i64, error: &str) -> Result<bool> {
        self.0.give_handling_back(key, fence, error).await
    }

    async fn fail_handling(&self, key: &InboxKey, error: &str) -> Result<()> {
        self.0.fail_handling(key, error).await
    }

    async fn delete_processed(&self, older_than: Duration, limit: u32) -> Result<u64> {
        self.0.delete_processed(older_than, limit).await
    }

    async fn inbox_depth(&self) -> Result<InboxDepth> {
        self.0.inbox_depth().await
    }
}

impl OutboxStore for SlowEnd {
    async fn check_outbox_tables(&self) -> Result<()> {
        self.0.check_outbox_tables().await
    }

    async fn lead(&self, relay: &str, lease: Duration, busy: &[u16]) -> Result<Vec<Lead>> {
        self.0.lead(relay, lease, busy).await
    }

    async fn resign(&self, relay: &str) -> Result<()> {
        self.0.resign(relay).await
    }

    async fn claim(&self, relay: &str, leads: &[Lead], limit: u32) -> Result<Vec<ClaimedMessage>> {
        self.0.claim(relay, leads, limit).await
    }

    async fn settle(&self, settled: &[SettledMessage]) -> Result<u64> {
        self.0.settle(settled).await
    }

    async fn delete_sent(&self, older_than: Duration, limit: u32) -> Result<u64> {
        self.0.delete_sent(older_than, limit).await
    }

    async fn outbox_depth(&self) -> Result<OutboxDepth> {
        self.0.outbox_depth().await
    }

    async fn failed_messages(&self, limit: u32) -> Result<Vec<FailedMessage>> {
        self.0.failed_messages(limit).await
    }

    async fn retry_failed(&self, id: i64) -> Result<bool> {
        self.0.retry_failed(id).await
    }
}

/// How often the handler ran.
#[derive(Clone, Default)]
struct Runs(Arc<AtomicU32>);

#[topic_subscriber("order.shipped", inbox = true, ack_wait = "1s", concurrency = 4)]
async fn ship(_order: String, State(runs): State<Runs>) {
    runs.0.fetch_add(1, Ordering::Relaxed);
}

#[tokio::test]
async fn a_handling_that_is_being_written_down_keeps_its_lease() {
    let (server, runs) = (NatsServer::start().await, Runs::default());
    let app = App::builder().config(config(&server.url(), "lease")).store(SlowEnd::default()).state(runs.clone());
    let running = app.subscriber(ship {}).build().unwrap().start().await.unwrap();

    // The same event as two messages of the stream: its id is in the envelope.
    let context = async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap());
    for _ in 0..2 {
        let body = r#"{"event_id":"shipped-1","topic":"order.shipped","message":"ORD-1"}"#;
        context.publish("test.lease.order.shipped", body.into()).await.unwrap().await.unwrap();
    }
    let stats = running.wait_until(|stats| stats.processed + stats.duplicates == 2, LIMIT).await.unwrap();
    assert_eq!((stats.processed, stats.duplicates), (1, 1));
    assert_eq!(runs.0.load(Ordering::Relaxed), 1, "nobody took the handling over while it was written down");
    running.shutdown().await;
}
