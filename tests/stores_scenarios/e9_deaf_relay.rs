//! Goal: a relay that PostgreSQL does not tell of new messages finds them by looking, and hears again after that. Method:
//! orders one by one, and how long each takes to arrive: with `LISTEN`, after its connection was ended
//! (`pg_terminate_backend`), after that, and with `NOTIFY` switched off.

use std::time::{Duration, Instant};

use async_nats::Subscriber;
use futures::StreamExt;
use natspubsub_tests::eventually;
use natspubsub_tests::shop::{Connected, Kind, Shop, Writing};

use super::SHOP;

const LIMIT: Duration = Duration::from_secs(20);

/// As long as `outbox_poll`, with time for the way.
const LOOKED: Duration = Duration::from_millis(1_200);
const HEARD: Duration = Duration::from_millis(100);
const QUIET: Duration = Duration::from_millis(1_100);

const LISTENER: &str = "SELECT coalesce(max(pid), 0)::bigint FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()";

/// An outbox to write into, and what arrives of it.
struct Scene {
    shop: Shop,
    connected: Connected,
    arriving: Subscriber,
    next: u64,
}

impl Scene {
    /// How long one order after the other took to arrive, the slowest last.
    async fn latencies(&mut self, count: usize) -> Vec<Duration> {
        let mut latencies = Vec::new();
        for _ in 0..count {
            let writing = Writing { from: self.next, orders: 1, keys: 10, writers: 1, ..Writing::default() };
            self.next += 1;
            assert_eq!(self.connected.write(&self.shop.config(), &writing).await, 1);
            let begin = Instant::now();
            tokio::time::timeout(LIMIT, self.arriving.next()).await.expect("the order arrives").unwrap();
            latencies.push(begin.elapsed());
        }
        latencies.sort();
        latencies
    }
}

/// Most of them: two processes and two servers share few cores with other tests.
fn nine_of_ten(latencies: &[Duration]) -> Duration {
    latencies[latencies.len() * 9 / 10 - 1]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e9_deaf_relay() {
    let shop = Shop::open(SHOP, "e9", Kind::Postgres).await;
    shop.make_stream(shop.config()).await;
    let inspector = shop.inspector().await;
    let arriving = inspector.client.subscribe("test.e9.order.created").await.unwrap();
    inspector.round_trip().await;
    let connected = Connected::open(&shop.database.url(), 2).await;
    let _relay = shop.start("relay", "relay", &[]);
    shop.wait_until("the relay listens", LIMIT, LISTENER, |pid| pid > 0).await;
    let mut scene = Scene { shop, connected, arriving, next: 0 };
    scene.latencies(5).await;

    let listening = scene.latencies(100).await;
    assert!(nine_of_ten(&listening) < HEARD, "with LISTEN: {listening:?}");

    for _ in 0..3 {
        let pid = scene.shop.database.number(LISTENER).await;
        scene.shop.database.execute(&format!("SELECT pg_terminate_backend({pid})")).await;
        let deaf = scene.latencies(1).await;
        assert!(deaf[0] < LOOKED, "without its connection: {deaf:?}");
        let database = &scene.shop.database;
        eventually("the relay listens again", LIMIT, || async {
            database.look(LISTENER).await.filter(|again| *again != 0 && *again != pid)
        })
        .await;
        let again = scene.latencies(50).await;
        assert!(nine_of_ten(&again) < HEARD, "with LISTEN again: {again:?}");
    }

    let Connected::Postgres(store) = scene.connected else { panic!("PostgreSQL") };
    scene.connected = Connected::Postgres(store.without_notify());
    let mut silent = Vec::new();
    for _ in 0..3 {
        // Longer than the relay looks often after a message.
        scene.shop.nats.stay_away_for(QUIET).await;
        silent.extend(scene.latencies(1).await);
    }
    silent.sort();
    assert!(silent[2] < LOOKED, "without NOTIFY: {silent:?}");
    assert!(silent[2] > HEARD, "and nobody told the relay: {silent:?}");
}
