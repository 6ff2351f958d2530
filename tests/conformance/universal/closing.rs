//! TestConcurrentClose, TestMessageCtx, TestSubscribeCtx.

use std::time::Duration;

use futures::future::join_all;
use natspubsub::prelude::*;

use super::scene::{Item, LIMIT, Scene, Shared, TOPIC, publish, start, stop};

#[topic_subscriber("item.made")]
async fn takes(item: Item, context: Context, State(ledger): State<Shared>) {
    ledger.done(&item, &context);
}

/// Ten instances that stop at once do each other no harm.
pub(super) async fn concurrent_close(scene: Scene) {
    let instances = scene.load(10, 3);
    let running = join_all((0..instances).map(|_| start(scene.app().subscriber(takes {})))).await;
    join_all(running.into_iter().map(stop)).await;
    let running = start(scene.app().subscriber(takes {})).await;
    publish(running.publisher(), TOPIC, 0..50, 10).await;
    scene.ledger.until("all are received", |deeds| deeds.done.len() >= 50).await;
    stop(running).await;
    assert_eq!(scene.ledger.deeds().of("takes"), (0..50).collect::<Vec<_>>());
}

/// Notes that a handler was cut off.
struct Guard(Option<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(ledger) = self.0.take() {
            ledger.cut();
        }
    }
}

#[topic_subscriber("item.made", concurrency = 4)]
async fn hangs(item: Item, context: Context, State(ledger): State<Shared>) {
    let mut guard = Guard(Some(ledger.clone()));
    ledger.begun(&item, &context);
    if item.number == 1 {
        ledger.gate.acquire().await.unwrap().forget();
    }
    guard.0 = None;
    ledger.done(&item, &context);
}

/// A context that is cancelled is a handler that is cut off here: never before its message is settled, and at the end of
/// `shutdown_timeout`, when its message goes back at once.
pub(super) async fn message_ctx(scene: Scene) {
    let scene = scene.shut_down_within(Duration::from_millis(200));
    let publisher = scene.publisher().await;
    let running = start(scene.app().subscriber(hangs {})).await;
    publish(&publisher, TOPIC, 0..2, 1).await;
    scene.ledger.until("one is done, one hangs", |deeds| deeds.done.len() == 1 && deeds.runs.len() == 2).await;
    assert_eq!(scene.ledger.deeds().cut, 0);
    let report = running.shutdown().await;
    assert_eq!((report.processed, report.released), (1, 1), "{report:?}");
    assert_eq!(scene.ledger.deeds().cut, 1);
    scene.ledger.gate.add_permits(1);
    let running = start(scene.app().subscriber(hangs {})).await;
    scene.ledger.until("both are done", |deeds| deeds.of("hangs") == [0, 1]).await;
    stop(running).await;
}

#[topic_subscriber("item.made", ack_wait = "1s", concurrency = 4)]
async fn parks(item: Item, context: Context, State(ledger): State<Shared>) {
    let mut guard = Guard(Some(ledger.clone()));
    ledger.begun(&item, &context);
    ledger.gate.acquire().await.unwrap().forget();
    guard.0 = None;
    ledger.done(&item, &context);
}

/// An application that is dropped instead of stopped ends too; another one receives everything.
pub(super) async fn subscribe_ctx(scene: Scene) {
    let publisher = scene.publisher().await;
    publish(&publisher, TOPIC, 0..20, 1).await;
    let running = start(scene.app().subscriber(parks {})).await;
    scene.ledger.until("four handlers run", |deeds| deeds.runs.len() == 4).await;
    drop(running);
    let limit = scene.load(Duration::from_secs(15), LIMIT);
    let ended = scene.ledger.within(limit, |deeds| deeds.cut == 4).await;
    assert!(ended, "the handlers are not cut off within {limit:?}");
    scene.ledger.gate.add_permits(40);
    let running = start(scene.app().subscriber(parks {})).await;
    scene.ledger.until("all are received", |deeds| deeds.distinct("parks") == 20).await;
    stop(running).await;
}
