//! Goal: two consumers of one event that share a database handle it each: what is remembered is the handling, not the event.
//! Method: 500 orders, handled by one in a transaction and by one with a lease, both with an inbox in the same table.

use std::time::Duration;

use natspubsub_tests::on_each_database;
use natspubsub_tests::shop::{Kind, Shop, Writing};

use super::SHOP;

const LIMIT: Duration = Duration::from_secs(30);

async fn f4_two_consumers(kind: Kind) {
    let shop = Shop::open(SHOP, "f4", kind).await;
    let _worker = shop.start("worker", "worker", &[]);
    shop.write(&Writing { orders: 500, keys: 50, writers: 2, ..Writing::default() }).await;
    shop.drained(LIMIT).await;
    shop.settled(&["charge", "ship"], LIMIT).await;
    for consumer in ["charge", "ship"] {
        assert_eq!(shop.database.effects(consumer).await, (500, 500), "rows and events of {consumer}");
        let rows =
            format!("SELECT count(*) FROM natspubsub_inbox WHERE consumer = 'f4-{consumer}' AND status = 'processed'");
        assert_eq!(shop.database.number(&rows).await, 500, "{consumer}");
    }
    let both = "SELECT count(*) FROM natspubsub_inbox a JOIN natspubsub_inbox b ON a.event_id = b.event_id
        WHERE a.consumer = 'f4-charge' AND b.consumer = 'f4-ship'";
    assert_eq!(shop.database.number(both).await, 500, "both know each event by the same id");
}

on_each_database! { f4_two_consumers }
