//! Goal: a relay that is killed loses nothing, and what it had published without writing that down is stored once. Method:
//! 10,000 orders (in each run 3,000), one relay after the other, each of which is killed when it has published a part of them; a failpoint
//! gives each its doubt: what it has published is written down 20 ms later. A plain subscription counts what is sent.

use std::sync::atomic::Ordering;
use std::time::Duration;

use natspubsub_tests::shop::{Kind, OrderCreated, Shop, Writing, count_sent, doubles};
use natspubsub_tests::{eventually, on_each_database};

use super::SHOP;

const KILLS: u64 = 5;
const DOUBT: (&str, &str) = ("NATSPUBSUB_FAILPOINTS", "relay_after_publish_before_settle=sleep:20ms");
const LIMIT: Duration = Duration::from_secs(60);

async fn e2_killed_relays(kind: Kind, orders: u64) {
    let shop = Shop::open(SHOP, "e2", kind).await;
    shop.make_stream(shop.config()).await;
    let inspector = shop.inspector().await;
    let sent = count_sent(&inspector, "test.e2.order.created".into()).await;
    let writing = Writing { orders, keys: 200, writers: 4, per_transaction: 20, ..Writing::default() };
    let killing = async {
        for kill in 1..=KILLS {
            let relay = shop.start("relay", &format!("relay-{kill}"), &[DOUBT]);
            eventually("the middle of the work", LIMIT, || async {
                (sent.load(Ordering::SeqCst) >= kill * orders / (KILLS + 2)).then_some(())
            })
            .await;
            relay.kill();
        }
        let relay = shop.start("relay", "relay-last", &[]);
        shop.drained(LIMIT).await;
        relay
    };
    let (written, _relay) = tokio::join!(shop.write(&writing), killing);
    assert_eq!(written, orders);
    shop.drained(LIMIT).await;

    let stored: Vec<OrderCreated> = shop.stored("order.created").await;
    assert_eq!(doubles(stored.iter().map(|order| order.number)).len(), 0, "none is stored twice");
    assert_eq!(stored.len() as u64, orders, "and none is lost");
    assert_eq!(u64::try_from(shop.database.outbox("sent").await).unwrap(), orders);
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent > orders, "the killed ones had published what they had not written down: {sent}");
}

on_each_database! { e2_killed_relays(3_000), long 10_000 }
