//! Goal: the orders of a key are in the stream in the order of their transactions, though two relays share the work. Method:
//! 8 writers, whose transactions lock the counter of their key and write its value, 50 keys, 10,000 orders (in each run 2,000).

use std::collections::BTreeMap;
use std::time::Duration;

use natspubsub_tests::on_each_database;
use natspubsub_tests::shop::{Kind, OrderCreated, Shop, Writing};

use super::SHOP;

const LIMIT: Duration = Duration::from_secs(40);

const OWNERS: &str = "SELECT count(DISTINCT owner) FROM natspubsub_outbox_leads";

async fn e4_order_of_keys(kind: Kind, orders: u64) {
    let shop = Shop::open(SHOP, "e4", kind).await;
    shop.make_stream(shop.config()).await;
    let _relays = [shop.start("relay", "relay-1", &[]), shop.start("relay", "relay-2", &[])];
    shop.wait_until("both relays lead", LIMIT, OWNERS, |owners| owners == 2).await;
    let writing = Writing { orders, keys: 50, writers: 8, ..Writing::default() };
    assert_eq!(shop.write(&writing).await, orders);
    // SQLite keeps no queue of those who want to write: a relay may wait until it gives up, resigns, and leads again.
    shop.wait_until("both relays still lead", LIMIT, OWNERS, |owners| owners == 2).await;
    shop.drained(LIMIT).await;

    let stored: Vec<OrderCreated> = shop.stored("order.created").await;
    assert_eq!(stored.len() as u64, orders);
    let mut keys: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    stored.iter().for_each(|order| keys.entry(&order.key).or_default().push(order.n));
    assert_eq!(keys.len(), 50);
    for (key, counted) in keys {
        let wanted: Vec<i64> = (1..).take(counted.len()).collect();
        assert_eq!(counted, wanted, "the stream has the orders of {key} as its counter has counted");
    }
}

on_each_database! { e4_order_of_keys(2_000), long 10_000 }
