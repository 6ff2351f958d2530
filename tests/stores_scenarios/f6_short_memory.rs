//! Goal: an inbox that forgets sooner than the stream does not start; one that is told to starts with a warning. Method: a
//! stream that keeps its messages for 7 days, and an inbox that remembers for an hour.

use std::time::Duration;

use natspubsub_tests::shop::{Kind, Shop, Writing};

use super::SHOP;

const LIMIT: Duration = Duration::from_secs(20);
const SHORT: (&str, &str) = ("NATSPUBSUB_INBOX_RETENTION", "1h");
const TOO_SHORT: &str = "inbox_retention = 1h is too short: the stream test-f6-stream keeps its messages 7d";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f6_short_memory() {
    let shop = Shop::open(SHOP, "f6", Kind::Sqlite).await;
    let mut refused = shop.start("worker", "refused", &[SHORT]);
    let status = refused.exit(LIMIT).await;
    assert!(!status.success(), "{status}");
    assert!(shop.log("refused").contains(TOO_SHORT), "{}", shop.log("refused"));

    let _warned = shop.start("worker", "warned", &[SHORT, ("NATSPUBSUB_INBOX_RETENTION_CHECK", "warn")]);
    shop.write(&Writing { orders: 1, ..Writing::default() }).await;
    let effects = "SELECT count(*) FROM effects WHERE consumer = 'book'";
    shop.wait_until("it works", LIMIT, effects, |effects| effects == 1).await;
    assert!(shop.log("warned").contains(TOO_SHORT), "{}", shop.log("warned"));
}
