//! Goal: `ordered_by` holds in a test: a key that fails is parked, keeps its order, and holds up no other. Method: what
//! handlers publish, in its order.

use natspubsub::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{orders, start};

#[derive(Clone, Serialize, Deserialize)]
struct Change {
    account: String,
    number: u32,
}

#[topic_subscriber("account.changed", ordered_by = "account", concurrency = 8, max_attempts = 3, backoff = "1s")]
async fn apply(change: Change, ctx: Context, publisher: Publisher) -> Result<(), Failure> {
    let Change { account, number } = change;
    if account == "ann" && number == 1 && ctx.attempt() < 3 {
        return Err(Failure::transient("the account is locked"));
    }
    publisher.publish("account.applied", &format!("{account}{number}")).await.map_err(Failure::transient)?;
    Ok(())
}

#[tokio::test]
async fn a_failing_key_is_parked_and_keeps_its_order() {
    let test = start(orders().subscriber(apply {})).await;
    for number in 1..=3 {
        for account in ["ann", "bob"] {
            test.publish("account.changed", &Change { account: account.into(), number }).await.unwrap();
        }
    }
    test.settled().await;
    let applied = ["bob1", "bob2", "bob3", "ann1", "ann2", "ann3"].map(str::to_owned);
    test.assert_published("account.applied", &applied);
    test.assert_no_dead_letters();
    assert_eq!(test.stats().await.processed, 6);
}
