//! Goal: a dead letter that is replayed passes the inbox once, and only in the consumer that gave it up. Method: 50 orders
//! whose payment fails for good until the shop is mended, replayed twice.

use std::time::Duration;

use natspubsub::Publisher;
use natspubsub_tests::on_each_database;
use natspubsub_tests::shop::{HOPELESS, Kind, Shop, Writing};
use nix::sys::signal::Signal;

use super::SHOP;

const LIMIT: Duration = Duration::from_secs(30);
const FAILED: &str = "SELECT count(*) FROM natspubsub_inbox WHERE status = 'failed'";

async fn d10_replayed_dead_letters(kind: Kind) {
    let shop = Shop::open(SHOP, "d10", kind).await;
    let mut hopeless = shop.start("worker", "hopeless", &[]);
    shop.write(&Writing { orders: 50, keys: 10, writers: 2, fails: HOPELESS, ..Writing::default() }).await;
    shop.wait_until("the inbox knows the dead letters", LIMIT, FAILED, |failed| failed == 50).await;
    shop.settled(&["charge", "ship"], LIMIT).await;
    assert_eq!(shop.database.effects("charge").await, (0, 0));
    hopeless.signal(Signal::SIGTERM);
    let status = hopeless.exit(LIMIT).await;
    assert!(status.success(), "{status} {}", shop.log("hopeless"));

    let _mended = shop.start("worker", "mended", &[("SHOP_MENDED", "yes")]);
    let letters = Publisher::connect(shop.config()).await.unwrap().dead_letters();
    assert_eq!(letters.replay_all().await.unwrap(), 50);
    assert_eq!(letters.replay_all().await.unwrap(), 0, "a replayed letter is gone");
    shop.wait_until("all is booked", LIMIT, "SELECT count(*) FROM effects WHERE consumer = 'book'", |n| n >= 50).await;
    shop.settled(&["charge", "ship", "book"], LIMIT).await;
    for consumer in ["charge", "ship", "book"] {
        assert_eq!(shop.database.effects(consumer).await, (50, 50), "rows and events of {consumer}");
    }
    assert_eq!(shop.database.number(FAILED).await, 0);
}

on_each_database! { d10_replayed_dead_letters }
