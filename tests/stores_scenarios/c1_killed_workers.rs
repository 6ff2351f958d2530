//! Goal: workers that are killed one after the other double no effect that is written in the transaction of its inbox.
//! Method: two processes, 20,000 orders (in each run 600) in waves, and in the middle of each wave `kill -9` for the older one, which is replaced.

use std::collections::VecDeque;
use std::future::ready;
use std::ops::Range;
use std::time::Duration;

use futures::StreamExt;
use natspubsub::Publisher;
use natspubsub_tests::shop::{Kind, OrderCreated, Shop};
use natspubsub_tests::{eventually, on_each_database};

use super::SHOP;

const KILLS: u64 = 5;

/// Concurrency and prefetch of a subscriber.
const IN_HAND_MAX: i64 = 16;

const LIMIT: Duration = Duration::from_secs(60);

async fn publish(publisher: &Publisher, orders: Range<u64>) {
    let publishing = orders.map(|number| {
        let order = OrderCreated { number, key: format!("key-{}", number % 50), n: 1, fails: 0 };
        let publisher = publisher.clone();
        async move { publisher.publish("order.created", &order).await.expect("the order is published") }
    });
    futures::stream::iter(publishing).buffer_unordered(200).for_each(|_| ready(())).await;
}

async fn c1_killed_workers(kind: Kind, orders: u64) {
    let (size, wanted) = (orders / KILLS, i64::try_from(orders).unwrap());
    let shop = Shop::open(SHOP, "c1", kind).await;
    let mut workers = VecDeque::from([shop.start("worker", "worker-a", &[]), shop.start("worker", "worker-b", &[])]);
    shop.settled(&["charge", "ship", "book"], LIMIT).await;
    let publisher = Publisher::connect(shop.config()).await.unwrap();
    let inspector = shop.inspector().await;
    let (stream, durable) = (shop.stream(), shop.durable("charge"));
    let mut in_flight = 0;
    for wave in 0..KILLS {
        publish(&publisher, wave * size..(wave + 1) * size).await;
        let middle = i64::try_from(wave * size + size / 4).unwrap();
        let effects = "SELECT count(*) FROM effects WHERE consumer = 'charge'";
        shop.wait_until("the middle of the wave", LIMIT, effects, |effects| effects >= middle).await;
        workers.pop_front().unwrap().kill();
        in_flight += inspector.consumer(&stream, &durable).await.num_ack_pending;
        workers.push_back(shop.start("worker", &format!("worker-{wave}"), &[]));
    }
    assert!(in_flight > 0, "the kills came in the middle of the work");
    shop.settled(&["charge", "ship"], LIMIT).await;
    shop.drained(LIMIT).await;
    shop.settled(&["book"], LIMIT).await;
    eventually("all is booked", LIMIT, || async { (shop.database.effects("book").await.1 == wanted).then_some(()) })
        .await;

    assert_eq!(shop.database.effects("charge").await, (wanted, wanted));
    assert_eq!(shop.database.effects("book").await, (wanted, wanted));
    let (rows, events) = shop.database.effects("ship").await;
    assert_eq!(events, wanted, "without a transaction of the inbox nothing is lost either");
    let doubled = rows - events;
    assert!(doubled <= i64::try_from(KILLS).unwrap() * IN_HAND_MAX, "what a kill interrupted may run again: {doubled}");
    assert!(inspector.messages("test-c1-dlq").await.is_empty(), "nothing was condemned");
}

on_each_database! { c1_killed_workers(600), long 20_000 }
