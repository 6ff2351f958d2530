//! Goal: half a million sent messages and their deletion slow nobody down, and go. Method: they are inserted as sent long ago,
//! and while a relay deletes them orders are written, 20 in a second for 60 s.

use std::time::{Duration, Instant};

use futures::StreamExt;
use natspubsub_tests::shop::{Connected, Kind, Shop, Writing};

use super::SHOP;

const SENT: i64 = 500_000;
const ORDERS: u64 = 1_200;
const PACE: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(20);

const INSERT: &str = "INSERT INTO natspubsub_outbox
    (event_id, message_id, subject, key, shard, headers, body, status, created_at, sent_at)
    SELECT 'old-' || i, 'old-' || i, 'test.e11.order.created', 'key-' || (i % 50), i % 16, '[]', '\\x7b7d', 'sent',
        now() - interval '2 days', now() - interval '2 days' FROM generate_series(1, 500000) AS i;
    ANALYZE natspubsub_outbox";

const OLD: &str = "SELECT count(*) FROM natspubsub_outbox WHERE sent_at < now() - interval '1 day'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute of load"]
async fn e11_half_a_million_sent() {
    let shop = Shop::open(SHOP, "e11", Kind::Postgres).await;
    shop.make_stream(shop.config()).await;
    shop.database.execute(INSERT).await;
    assert_eq!(shop.database.number(OLD).await, SENT);
    let inspector = shop.inspector().await;
    let mut arriving = inspector.client.subscribe("test.e11.order.created").await.unwrap();
    inspector.round_trip().await;
    let connected = Connected::open(&shop.database.url(), 2).await;
    let _relay = shop.start("relay", "relay", &[]);
    let mut pace = tokio::time::interval(PACE);
    let mut latencies = Vec::new();
    for from in 0..ORDERS {
        pace.tick().await;
        connected.write(&shop.config(), &Writing { from, orders: 1, keys: 50, ..Writing::default() }).await;
        let begin = Instant::now();
        tokio::time::timeout(LIMIT, arriving.next()).await.expect("the order arrives").unwrap();
        latencies.push(begin.elapsed());
    }
    latencies.sort();
    let slow = latencies[latencies.len() * 99 / 100];
    assert!(slow < Duration::from_millis(500), "99 of 100 orders: {slow:?}");
    let left = shop.database.number(OLD).await;
    assert!(left < SENT - 20_000, "they were deleted at the same time: {left} are left");
}
