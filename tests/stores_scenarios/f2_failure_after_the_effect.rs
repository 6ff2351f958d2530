//! Goal: a handler that fails after it has written leaves nothing: no effect, no message, no mark of the inbox; its next
//! attempt begins anew. Method: 200 orders whose payment is refused at each attempt until the shop is mended.

use std::time::Duration;

use natspubsub_tests::shop::{Kind, REFUSED, Shop, Writing};
use natspubsub_tests::{eventually, on_each_database};
use nix::sys::signal::Signal;

use super::SHOP;

const ORDERS: u64 = 200;
const LIMIT: Duration = Duration::from_secs(30);

async fn f2_failure_after_the_effect(kind: Kind) {
    let shop = Shop::open(SHOP, "f2", kind).await;
    let mut refusing = shop.start("worker", "refusing", &[]);
    shop.write(&Writing { orders: ORDERS, keys: 50, writers: 2, fails: REFUSED, ..Writing::default() }).await;
    shop.settled(&["ship"], LIMIT).await;
    let inspector = shop.inspector().await;
    let (stream, durable) = (shop.stream(), shop.durable("charge"));
    eventually("each was tried twice at least", LIMIT, || async {
        let info = inspector.consumer(&stream, &durable).await;
        (info.num_redelivered as u64 == ORDERS).then_some(())
    })
    .await;
    assert_eq!(shop.database.effects("charge").await, (0, 0), "nothing of a failed handler remains");
    let marks = "SELECT count(*) FROM natspubsub_inbox WHERE consumer = 'f2-charge'";
    assert_eq!(shop.database.number(marks).await, 0, "not even the mark of the inbox");
    let payments = "SELECT count(*) FROM natspubsub_outbox WHERE event_id LIKE 'payment-%'";
    assert_eq!(shop.database.number(payments).await, 0, "nor a message");
    refusing.signal(Signal::SIGTERM);
    let status = refusing.exit(LIMIT).await;
    assert!(status.success(), "{status} {}", shop.log("refusing"));

    let _mended = shop.start("worker", "mended", &[("SHOP_MENDED", "yes")]);
    shop.wait_until("all is booked", LIMIT, "SELECT count(*) FROM effects WHERE consumer = 'book'", |n| n >= 200).await;
    shop.settled(&["charge", "ship", "book"], LIMIT).await;
    for consumer in ["charge", "ship", "book"] {
        assert_eq!(shop.database.effects(consumer).await, (200, 200), "rows and events of {consumer}");
    }
    assert_eq!(shop.database.number(marks).await, 200);
}

on_each_database! { f2_failure_after_the_effect }
