//! Goal: a relay that has lost its lead publishes nothing any more, whatever it had claimed. Method: a relay that waits
//! between claim and publish is frozen there (SIGSTOP); another one takes over and publishes everything; when the stream
//! has forgotten the message ids, the first one goes on.

use std::time::Duration;

use natspubsub::{Config, Publisher};
use natspubsub_tests::shop::{Kind, OrderCreated, Shop, Writing, doubles};
use natspubsub_tests::{eventually, on_each_database};
use nix::sys::signal::Signal;

use super::SHOP;

const ORDERS: u64 = 500;
const PAUSE: (&str, &str) = ("NATSPUBSUB_FAILPOINTS", "relay_after_claim=sleep:2s");
const LIMIT: Duration = Duration::from_secs(30);
const WINDOW: (&str, &str) = ("NATSPUBSUB_STREAM_DUPLICATE_WINDOW", "1s");

const OWNERS: &str = "SELECT count(DISTINCT owner) FROM natspubsub_outbox_leads";
const CLAIMED: &str = "SELECT count(*) FROM natspubsub_outbox WHERE status = 'publishing'";

/// With a window that is over soon.
fn config(shop: &Shop) -> Config {
    let builder = Config::builder().url(shop.nats.url()).env("test").app("e5");
    builder.stream_duplicate_window(Duration::from_secs(1)).build().unwrap()
}

/// Publishes until the window has forgotten an id that it knew.
async fn outside_the_window(shop: &Shop) {
    let publisher = Publisher::connect(config(shop)).await.unwrap();
    let canary = || publisher.message(&0).topic("canary.sung").event_id("canary").publish();
    canary().await.unwrap();
    eventually("the duplicate window is over", LIMIT, async || (!canary().await.unwrap().duplicate).then_some(()))
        .await;
}

async fn e5_relay_that_lost_its_lead(kind: Kind) {
    let shop = Shop::open(SHOP, "e5", kind).await;
    shop.make_stream(config(&shop)).await;
    let frozen = shop.start("relay", "frozen", &[PAUSE, WINDOW]);
    shop.wait_until("the relay leads", LIMIT, OWNERS, |owners| owners == 1).await;
    shop.write(&Writing { orders: ORDERS, keys: 50, writers: 2, ..Writing::default() }).await;
    shop.wait_until("it has claimed", LIMIT, CLAIMED, |claimed| claimed > 0).await;
    frozen.freeze().await;
    while !shop.database.is_writable().await {
        frozen.signal(Signal::SIGCONT);
        frozen.freeze().await;
    }
    let claimed = shop.database.number(CLAIMED).await;
    assert!(claimed > 0, "it was frozen with messages in hand");

    let _other = shop.start("relay", "other", &[WINDOW]);
    shop.drained(LIMIT).await;
    outside_the_window(&shop).await;
    frozen.signal(Signal::SIGCONT);
    shop.wait_until("it leads a part again", LIMIT, OWNERS, |owners| owners == 2).await;
    shop.write(&Writing { from: ORDERS, orders: 100, keys: 50, writers: 2, ..Writing::default() }).await;
    shop.drained(LIMIT).await;

    let stored: Vec<OrderCreated> = shop.stored("order.created").await;
    let twice = doubles(stored.iter().map(|order| order.number));
    assert_eq!(twice.len(), 0, "what the other one had published was published again: {twice:?}");
    assert_eq!(stored.len() as u64, ORDERS + 100);
}

on_each_database! { e5_relay_that_lost_its_lead }
