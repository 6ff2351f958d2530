//! Goal: an event that is in the stream five times has its effects once, and causes one event. Method: 2,000 orders (in
//! each run 200), each published five times by a plain client without a message id, so that the stream stores all of them.

use std::time::Duration;

use futures::StreamExt;
use natspubsub_tests::on_each_database;
use natspubsub_tests::shop::{Kind, OrderCreated, PaymentTaken, Shop, doubles};
use serde_json::json;

use super::SHOP;

const TIMES: u64 = 5;
const LIMIT: Duration = Duration::from_secs(120);

async fn publish(shop: &Shop, orders: u64) {
    let inspector = shop.inspector().await;
    let bodies = (0..orders).map(|number| {
        let order = OrderCreated { number, key: format!("key-{}", number % 50), n: 1, fails: 0 };
        json!({ "event_id": format!("order-{number}"), "topic": "order.created", "message": order }).to_string()
    });
    // The same order comes again both at once and much later.
    let bodies: Vec<String> = bodies.flat_map(|body| [body.clone(), body]).collect();
    let all = bodies.iter().chain(bodies.iter()).chain(bodies.iter().step_by(2));
    let publishing = all.map(|body| {
        let (jetstream, body) = (inspector.jetstream.clone(), body.clone());
        async move { jetstream.publish("test.f1.order.created", body.into()).await.unwrap().await.unwrap() }
    });
    let answers: Vec<_> = futures::stream::iter(publishing).buffer_unordered(200).collect().await;
    assert!(answers.iter().all(|answer| !answer.duplicate));
}

async fn f1_duplicates(kind: Kind, orders: u64) {
    let shop = Shop::open(SHOP, "f1", kind).await;
    let _worker = shop.start("worker", "worker", &[]);
    shop.settled(&["charge"], LIMIT).await;
    publish(&shop, orders).await;
    shop.settled(&["charge", "ship"], LIMIT).await;
    shop.drained(LIMIT).await;
    shop.settled(&["book"], LIMIT).await;

    let wanted = i64::try_from(orders).unwrap();
    let stored: Vec<OrderCreated> = shop.stored("order.created").await;
    assert_eq!(stored.len() as u64, orders * TIMES, "the stream has them all");
    for consumer in ["charge", "ship", "book"] {
        assert_eq!(shop.database.effects(consumer).await, (wanted, wanted), "rows and events of {consumer}");
    }
    let payments: Vec<PaymentTaken> = shop.stored("payment.taken").await;
    assert_eq!(payments.len() as u64, orders);
    assert!(doubles(payments.iter().map(|payment| payment.number)).is_empty());
}

on_each_database! { f1_duplicates(200), long 2_000 }
