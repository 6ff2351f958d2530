//! TestNoAck, TestPublishSubscribeInOrder: `ordered_by` is what "guaranteed order" is here.

use std::collections::BTreeMap;
use std::time::Duration;

use natspubsub::prelude::*;

use super::scene::{Item, LIMIT, Scene, Shared, TOPIC, publish, start, stop};

#[topic_subscriber("item.made", ordered_by = "key", concurrency = 4)]
async fn waits(item: Item, context: Context, State(ledger): State<Shared>) {
    ledger.begun(&item, &context);
    ledger.gate.acquire().await.unwrap().forget();
    ledger.done(&item, &context);
}

/// The second message of a key waits for the first one, and comes when that is done.
pub(super) async fn no_ack(scene: Scene) {
    let running = start(scene.app().subscriber(waits {})).await;
    for number in [0, 16] {
        publish(running.publisher(), TOPIC, number..number + 1, 1).await;
    }
    scene.ledger.until("the first one runs", |deeds| deeds.runs.len() == 1).await;
    let early = scene.ledger.within(Duration::from_millis(100), |deeds| deeds.runs.len() > 1).await;
    assert!(!early, "the second one runs before the first is done");
    scene.ledger.gate.add_permits(1);
    let limit = scene.load(Duration::from_secs(5), LIMIT);
    let comes = scene.ledger.within(limit, |deeds| deeds.runs.len() > 1).await;
    assert!(comes, "the second one does not run within {limit:?}");
    scene.ledger.gate.add_permits(1);
    scene.ledger.until("both are done", |deeds| deeds.done.len() == 2).await;
    let again = scene.ledger.within(Duration::from_millis(50), |deeds| deeds.runs.values().any(|runs| *runs > 1)).await;
    assert!(!again, "what is done comes again");
    stop(running).await;
}

#[topic_subscriber("item.made", ordered_by = "key", concurrency = 10)]
async fn in_order(item: Item, context: Context, State(ledger): State<Shared>) {
    tokio::task::yield_now().await;
    ledger.done(&item, &context);
}

/// Ten handlers keep the order of each of 16 keys.
pub(super) async fn publish_subscribe_in_order(scene: Scene) {
    let messages = scene.load(1_000, 100);
    let running = start(scene.app().subscriber(in_order {})).await;
    publish(running.publisher(), TOPIC, 0..messages, 1).await;
    scene.ledger.until("all are done", |deeds| deeds.done.len() as u64 >= messages).await;
    stop(running).await;
    let deeds = scene.ledger.deeds();
    assert_eq!(deeds.of("in_order"), (0..messages).collect::<Vec<_>>());
    let mut keys: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (_, number, key) in &deeds.done {
        keys.entry(*key).or_default().push(*number);
    }
    assert_eq!(keys.len(), 16);
    for (key, numbers) in keys {
        assert!(numbers.is_sorted(), "key {key}: {numbers:?}");
    }
}
