//! TestPublishSubscribe, TestTopic, TestNewSubscriberReceivesOldMessages, TestConsumerGroups.

use natspubsub::prelude::*;

use super::scene::{Item, Scene, Shared, TOPIC, publish, start, stop};

#[topic_subscriber("item.made")]
async fn compares(item: Item, context: Context, headers: Headers, State(ledger): State<Shared>) {
    let number = item.number;
    let told = (headers.get("x-number"), context.metadata().tenant_id.as_deref());
    let wanted = number.to_string();
    if item != Item::new(number) || told != (Some(wanted.as_str()), Some(wanted.as_str())) {
        ledger.deeds().faults.push(format!("{item:?} with {told:?}"));
    }
    ledger.done(&item, &context);
}

/// All are received with body, header and metadata; none after the shutdown.
pub(super) async fn publish_subscribe(scene: Scene) {
    let publisher = scene.publisher().await;
    let send = async |number: u64| {
        let (item, text) = (Item::new(number), number.to_string());
        let message = publisher.message(&item).topic(TOPIC).header("x-number", &*text).tenant_id(&*text);
        message.publish().await.unwrap();
    };
    for number in 0..100 {
        send(number).await;
    }
    let running = start(scene.app().subscriber(compares {})).await;
    scene.ledger.until("all are received", |deeds| deeds.done.len() >= 100).await;
    stop(running).await;
    send(100).await;
    {
        let deeds = scene.ledger.deeds();
        assert_eq!(deeds.of("compares"), (0..100).collect::<Vec<_>>(), "each once, and none after the shutdown");
        assert!(deeds.faults.is_empty(), "{:?}", deeds.faults);
    }
    let running = start(scene.app().subscriber(compares {})).await;
    scene.ledger.until("the last one is received", |deeds| deeds.done.len() > 100).await;
    stop(running).await;
    assert_eq!(scene.ledger.deeds().of("compares"), (0..=100).collect::<Vec<_>>());
}

#[topic_subscriber("left.made")]
async fn left(item: Item, context: Context, State(ledger): State<Shared>) {
    ledger.done(&item, &context);
}

#[topic_subscriber("right.made")]
async fn right(item: Item, context: Context, State(ledger): State<Shared>) {
    ledger.done(&item, &context);
}

/// Nothing of one topic is received on another.
pub(super) async fn topic(scene: Scene) {
    let running = start(scene.app().subscriber(left {}).subscriber(right {})).await;
    publish(running.publisher(), "left.made", 0..1, 1).await;
    publish(running.publisher(), "right.made", 1..2, 1).await;
    scene.ledger.until("both are received", |deeds| deeds.done.len() == 2).await;
    stop(running).await;
    let deeds = scene.ledger.deeds();
    assert_eq!((deeds.of("left"), deeds.of("right")), (vec![0], vec![1]));
}

#[topic_subscriber("item.made")]
async fn first(item: Item, context: Context, State(ledger): State<Shared>) {
    ledger.done(&item, &context);
}

#[topic_subscriber("item.made")]
async fn second(item: Item, context: Context, State(ledger): State<Shared>) {
    ledger.done(&item, &context);
}

#[topic_subscriber("item.made")]
async fn third(item: Item, context: Context, State(ledger): State<Shared>) {
    ledger.done(&item, &context);
}

/// Who comes later receives what was published before; each of three rounds has a new durable.
pub(super) async fn new_subscriber_receives_old_messages(scene: Scene) {
    let publisher = scene.publisher().await;
    let rounds = ["first", "second", "third"];
    for (round, name) in (1_u64..).zip(rounds) {
        publish(&publisher, TOPIC, (round - 1) * 20..round * 20, 5).await;
        let app = match round {
            1 => scene.app().subscriber(first {}),
            2 => scene.app().subscriber(second {}),
            _ => scene.app().subscriber(third {}),
        };
        let running = start(app).await;
        scene.ledger.until(name, |deeds| deeds.of(name).len() as u64 >= round * 20).await;
        stop(running).await;
        assert_eq!(scene.ledger.deeds().of(name), (0..round * 20).collect::<Vec<_>>());
    }
}

/// Each group of two instances receives every message once.
pub(super) async fn consumer_groups(scene: Scene) {
    let group = || scene.app().subscriber(first {}).subscriber(second {});
    let (one, other) = (start(group()).await, start(group()).await);
    publish(one.publisher(), TOPIC, 0..50, 10).await;
    let all: Vec<u64> = (0..50).collect();
    scene.ledger.until("each group has all", |deeds| deeds.of("first") == all && deeds.of("second") == all).await;
    stop(one).await;
    stop(other).await;
    assert_eq!(scene.ledger.deeds().done.len(), 100, "each once");
}
