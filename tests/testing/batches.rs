//! Goal: batch subscribers run in a test as in production: batches fill or their wait ends, each message is settled
//! alone. Method: what the handler publishes about its batches.

use std::time::Duration;

use natspubsub::prelude::*;

use crate::{orders, start};

#[batch_subscriber("order.created", max = 3, wait = "1s")]
async fn store(totals: Batch<i64>, publisher: Publisher) -> Result<(), Failure> {
    for total in totals.iter().filter(|total| ***total < 0) {
        total.dead_letter("a total cannot be negative");
    }
    publisher.publish("batch.stored", &totals.len()).await.map_err(Failure::transient)?;
    Ok(())
}

#[tokio::test]
async fn batches_fill_or_end_with_their_wait() {
    let test = start(orders().subscriber(store {})).await;
    for total in [10, 20, 30, 40, -50] {
        test.publish("order.created", &total).await.unwrap();
    }
    let (begin, patience) = (test.now(), Duration::from_secs(1));
    test.settled().await;
    test.assert_published("batch.stored", &[3, 2]);
    test.assert_handled("store", 4);
    let letters = test.dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].payload::<i64>().unwrap(), letters[0].error()), (-50, "a total cannot be negative"));
    let taken = test.now().duration_since(begin).unsigned_abs();
    assert!(test.is_live() || (taken >= patience && taken < 2 * patience), "{taken:?}");
}
