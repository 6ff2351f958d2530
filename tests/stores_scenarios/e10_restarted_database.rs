//! Goal: a PostgreSQL that is ended at once and started again in the middle of a relay's work loses and doubles nothing, and
//! the relay goes on soon. Method: 3,000 orders, and a relay that waits between publishing and writing that down.

use std::time::Duration;

use natspubsub_tests::shop::{Kind, OrderCreated, Shop, Writing, count_sent, doubles};

use super::SHOP;

const ORDERS: u64 = 3_000;
const RESTARTS: u64 = 3;
const DOUBT: (&str, &str) = ("NATSPUBSUB_FAILPOINTS", "relay_after_publish_before_settle=sleep:50ms");
const LIMIT: Duration = Duration::from_secs(60);

/// Its lease, which is 1 s here, and 2 s.
const AGAIN: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "with e8 and e11 in the long run"]
async fn e10_restarted_database() {
    let mut shop = Shop::open_durable(SHOP, "e10", Kind::Postgres).await;
    shop.make_stream(shop.config()).await;
    let inspector = shop.inspector().await;
    let sent = count_sent(&inspector, "test.e10.order.created".into()).await;
    shop.write(&Writing { orders: ORDERS, keys: 500, writers: 4, per_transaction: 20, ..Writing::default() }).await;
    let _relay = shop.start("relay", "relay", &[DOUBT, ("NATSPUBSUB_OUTBOX_BATCH", "64")]);
    let published = || sent.load(std::sync::atomic::Ordering::SeqCst);
    let mut in_hand = 0;
    for restart in 1..=RESTARTS {
        natspubsub_tests::eventually("the middle of the work", LIMIT, || async {
            (published() >= restart * ORDERS / (RESTARTS + 2)).then_some(())
        })
        .await;
        in_hand += shop.database.outbox("publishing").await;
        shop.database.server().kill_9();
        let before = published();
        assert!(before < ORDERS, "there was work left: {before}");
        shop.database.server().restart().await;
        natspubsub_tests::eventually("the relay publishes again", AGAIN, || async {
            (published() > before).then_some(())
        })
        .await;
    }
    shop.drained(LIMIT).await;
    let stored: Vec<OrderCreated> = shop.stored("order.created").await;
    assert_eq!(stored.len() as u64, ORDERS);
    assert!(doubles(stored.iter().map(|order| order.number)).is_empty());
    assert!(in_hand > 0, "the relay had messages in hand");
}
