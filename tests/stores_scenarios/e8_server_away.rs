//! Goal: while the nats-server is away orders are written as fast as before, and they are published soon after it is back.
//! Method: 5,000 orders during an outage of 60 s; how long each takes is compared with orders written before it.

use std::time::{Duration, Instant};

use natspubsub_tests::shop::{Kind, OrderCreated, Shop, Writing, doubles};

use super::SHOP;

const BEFORE: u64 = 500;
const ORDERS: u64 = 5_000;
const PORTION: u64 = 50;
const OUTAGE: Duration = Duration::from_secs(60);
const DRAINED: Duration = Duration::from_secs(15);

/// Where a process tells how much of its memory lies in RAM.
fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// How long each portion took, sorted.
async fn write(shop: &Shop, orders: std::ops::Range<u64>) -> Vec<Duration> {
    let mut times = Vec::new();
    for from in orders.step_by(usize::try_from(PORTION).unwrap()) {
        let begin = Instant::now();
        shop.write(&Writing { from, orders: PORTION, keys: 50, writers: 1, ..Writing::default() }).await;
        times.push(begin.elapsed());
    }
    times.sort();
    times
}

async fn e8_server_away(kind: Kind) {
    let mut shop = Shop::open(SHOP, "e8", kind).await;
    shop.make_stream(shop.config()).await;
    let relay = shop.start("relay", "relay", &[]);
    let before = write(&shop, 0..BEFORE).await;
    shop.drained(DRAINED).await;
    let memory = resident_kib(relay.id());

    let begin = Instant::now();
    shop.nats.kill();
    let during = write(&shop, BEFORE..BEFORE + ORDERS).await;
    assert_eq!(shop.database.waiting().await, 5_000, "nothing is published, and nothing is lost");
    shop.nats.stay_away_for(OUTAGE.saturating_sub(begin.elapsed())).await;
    let grown = resident_kib(relay.id()).saturating_sub(memory);
    assert!(grown < 16 * 1024, "the relay holds what it has in hand, and no more: {grown} KiB");
    let ends = |times: &[Duration]| (times[times.len() / 2], times[times.len() - 1]);
    let (base, away) = (ends(&before), ends(&during));
    assert!(away.0 < base.0 * 2, "half of the portions, before and during the outage: {base:?} {away:?}");

    shop.nats.restart().await;
    shop.drained(DRAINED).await;
    assert_eq!(shop.database.outbox("failed").await, 0);
    let stored: Vec<OrderCreated> = shop.stored("order.created").await;
    assert_eq!(stored.len() as u64, BEFORE + ORDERS);
    assert!(doubles(stored.iter().map(|order| order.number)).is_empty());
}

mod long {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "an outage of a minute"]
    async fn sqlite() {
        e8_server_away(Kind::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "an outage of a minute"]
    async fn postgres() {
        e8_server_away(Kind::Postgres).await;
    }
}
