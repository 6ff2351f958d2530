//! Goal: exactly what is committed is published. Method: 2,000 transactions with an order each, every second of which is
//! rolled back, while a relay runs.

use std::collections::BTreeSet;
use std::time::Duration;

use natspubsub_tests::on_each_database;
use natspubsub_tests::shop::{Kind, OrderCreated, Shop, Writing};

use super::SHOP;

const ORDERS: u64 = 2_000;
const LIMIT: Duration = Duration::from_secs(30);

async fn e1_rolled_back_orders(kind: Kind) {
    let shop = Shop::open(SHOP, "e1", kind).await;
    shop.make_stream(shop.config()).await;
    let _relay = shop.start("relay", "relay", &[]);
    let writing = Writing { orders: ORDERS, keys: 50, writers: 4, rollback_each: 2, ..Writing::default() };
    assert_eq!(shop.write(&writing).await, ORDERS / 2, "the others are rolled back");
    shop.drained(LIMIT).await;

    let stored: Vec<OrderCreated> = shop.stored("order.created").await;
    let numbers: BTreeSet<u64> = stored.iter().map(|order| order.number).collect();
    assert_eq!(stored.len(), numbers.len(), "none twice");
    assert_eq!(numbers, (0..ORDERS).filter(|number| number % 2 == 1).collect(), "the committed ones and no others");
}

on_each_database! { e1_rolled_back_orders }
