//! Goal: a worker that dies between the commit and the acknowledgement doubles nothing: the message comes again and is
//! skipped. Method: 200 orders, and workers that abort at that very point, one after the other; the last one does not.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use natspubsub_tests::on_each_database;
use natspubsub_tests::shop::{Kind, Shop, Writing};
use nix::sys::signal::Signal;

use super::SHOP;

const ORDERS: i64 = 200;
const DEATHS: usize = 5;
const LIMIT: Duration = Duration::from_secs(30);
const FAILPOINT: (&str, &str) = ("NATSPUBSUB_FAILPOINTS", "after_commit_before_ack=abort@0.05");

async fn c2_death_after_the_commit(kind: Kind) {
    let shop = Shop::open(SHOP, "c2", kind).await;
    let quiet = ("NATSPUBSUB_RELAY", "false");
    let _relay = shop.start("relay", "relay", &[]);
    shop.make_stream(shop.config()).await;
    shop.write(&Writing { orders: 200, keys: 50, writers: 2, ..Writing::default() }).await;
    for death in 0..DEATHS {
        let name = format!("dies-{death}");
        let mut worker = shop.start("worker", &name, &[FAILPOINT, quiet]);
        let status = worker.exit(LIMIT).await;
        assert_eq!(status.signal(), Some(Signal::SIGABRT as i32), "{status} {}", shop.log(&name));
    }
    let mut last = shop.start("worker", "last", &[quiet]);
    shop.settled(&["charge", "ship"], LIMIT).await;
    shop.drained(LIMIT).await;
    shop.settled(&["book"], LIMIT).await;
    last.signal(Signal::SIGTERM);
    let status = last.exit(LIMIT).await;
    assert!(status.success(), "{status} {}", shop.log("last"));

    assert_eq!(shop.database.effects("charge").await, (ORDERS, ORDERS));
    assert_eq!(shop.database.effects("book").await, (ORDERS, ORDERS));
    let inspector = shop.inspector().await;
    let mut again = 0;
    for consumer in ["charge", "book"] {
        let delivered = inspector.consumer(&shop.stream(), &shop.durable(consumer)).await.delivered.consumer_sequence;
        again += i64::try_from(delivered).unwrap() - ORDERS;
    }
    assert!(again >= i64::try_from(DEATHS).unwrap(), "each death brought a committed message again: {again}");
}

on_each_database! { c2_death_after_the_commit }
