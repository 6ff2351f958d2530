//! TestConcurrentSubscribe, TestConcurrentSubscribeMultipleTopics, TestPublisherClose, TestContinueAfterSubscribeClose.

use futures::future::join_all;
use natspubsub::prelude::*;

use super::scene::{Item, Scene, Shared, TOPIC, publish, start, stop};

#[topic_subscriber("item.made", concurrency = 8)]
async fn takes(item: Item, context: Context, State(ledger): State<Shared>) {
    ledger.done(&item, &context);
}

/// 50 instances of an application share what 50 publish at once.
pub(super) async fn concurrent_subscribe(scene: Scene) {
    let (messages, at_once, instances) = scene.load((5_000, 50, 50), (100, 10, 2));
    let running = join_all((0..instances).map(|_| start(scene.app().subscriber(takes {})))).await;
    publish(running[0].publisher(), TOPIC, 0..messages, at_once).await;
    scene.ledger.until("all are received", |deeds| deeds.done.len() as u64 >= messages).await;
    join_all(running.into_iter().map(stop)).await;
    assert_eq!(scene.ledger.deeds().of("takes"), (0..messages).collect::<Vec<_>>(), "each once");
}

/// A subscriber for each topic.
macro_rules! topics {
    ($($name:ident $topic:literal)+) => {
        $(#[topic_subscriber($topic)]
        async fn $name(item: Item, context: Context, State(ledger): State<Shared>) {
            ledger.done(&item, &context);
        })+

        const TOPICS: &[(&str, &str)] = &[$((stringify!($name), $topic)),+];

        fn of_all_topics(app: natspubsub::AppBuilder) -> natspubsub::AppBuilder {
            app$(.subscriber($name {}))+
        }
    };
}

topics! {
    topic_00 "t00.made" topic_01 "t01.made" topic_02 "t02.made" topic_03 "t03.made" topic_04 "t04.made"
    topic_05 "t05.made" topic_06 "t06.made" topic_07 "t07.made" topic_08 "t08.made" topic_09 "t09.made"
    topic_10 "t10.made" topic_11 "t11.made" topic_12 "t12.made" topic_13 "t13.made" topic_14 "t14.made"
    topic_15 "t15.made" topic_16 "t16.made" topic_17 "t17.made" topic_18 "t18.made" topic_19 "t19.made"
}

/// Each of 20 subscribers receives all of its topic.
pub(super) async fn concurrent_subscribe_multiple_topics(scene: Scene) {
    let each = scene.load(100, 10);
    let running = start(of_all_topics(scene.app())).await;
    let publisher = running.publisher();
    join_all(TOPICS.iter().map(|(_, topic)| publish(publisher, topic, 0..each, 5))).await;
    let all: Vec<u64> = (0..each).collect();
    let total = all.len() * TOPICS.len();
    scene.ledger.until("all are received", |deeds| deeds.done.len() >= total).await;
    stop(running).await;
    let deeds = scene.ledger.deeds();
    for (name, topic) in TOPICS {
        assert_eq!(deeds.of(name), all, "{topic}");
    }
}

/// 20 publishers publish at once and go: half of them when each message is stored, half leave the rest to what they have
/// gathered.
pub(super) async fn publisher_close(scene: Scene) {
    let (messages, publishers) = scene.load((10_000, 20), (100, 4));
    let each = messages / publishers;
    let publishing = (0..publishers).map(|index| {
        let scene = &scene;
        async move {
            let publisher = scene.publisher().await;
            let numbers = index * each..(index + 1) * each;
            if index % 2 == 0 {
                return publish(&publisher, TOPIC, numbers, 50).await;
            }
            let buffered = publisher.buffered();
            for number in numbers {
                buffered.add(TOPIC, &Item::new(number)).await.unwrap();
            }
        }
    });
    join_all(publishing).await;
    let running = start(scene.app().subscriber(takes {})).await;
    scene.ledger.until("all are received", |deeds| deeds.done.len() as u64 >= messages).await;
    stop(running).await;
    assert_eq!(scene.ledger.deeds().of("takes"), (0..messages).collect::<Vec<_>>(), "each once");
}

/// An application that is stopped and started again and again loses nothing.
pub(super) async fn continue_after_subscribe_close(scene: Scene) {
    const BATCHES: u64 = 5;
    let (messages, starts_each) = scene.load((5_000, 4), (100, 1));
    let (batch, step) = (messages / BATCHES, messages / BATCHES / starts_each);
    let publisher = scene.publisher().await;
    for index in 0..BATCHES {
        publish(&publisher, TOPIC, index * batch..(index + 1) * batch, 50).await;
        for part in 1..=starts_each {
            let running = start(scene.app().subscriber(takes {})).await;
            let wanted = usize::try_from(index * batch + part * step).unwrap();
            scene.ledger.until("a part is received", |deeds| deeds.distinct("takes") >= wanted).await;
            stop(running).await;
        }
    }
    let deeds = scene.ledger.deeds();
    assert_eq!(deeds.of("takes"), (0..messages).collect::<Vec<_>>(), "a clean shutdown repeats none");
}
