//! Goal: a handler that asks another service is tested without it. Method: a responder of the test, before and after a
//! crash.

use natspubsub::prelude::*;
use natspubsub::testing::TestApp;

#[topic_subscriber("order.created")]
async fn price(order: String, publisher: Publisher) -> Result<(), Failure> {
    let price: u32 = publisher.request("quote.get", &order).await.map_err(Failure::permanent)?;
    publisher.publish("order.priced", &price).await.map_err(Failure::transient)?;
    Ok(())
}

async fn started() -> TestApp {
    let app = App::builder().config(Config::builder().app("orders").build().unwrap()).subscriber(price {}).build();
    TestApp::start(app.unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_request_is_answered_by_the_test() {
    let test = started().await;
    test.respond("quote.get", |order: String| order.len()).await.unwrap();
    test.publish("order.created", "ORD-1").await.unwrap();
    test.settled().await;
    test.crash().await;
    test.start_again().await.unwrap();
    test.publish("order.created", "ORD-10").await.unwrap();
    test.settled().await;
    assert_eq!(test.published::<usize>("order.priced"), [5, 6]);
}

#[tokio::test]
async fn without_a_responder_the_request_fails_at_once() {
    let test = started().await;
    test.publish("order.created", "ORD-1").await.unwrap();
    test.settled().await;
    let letters = test.dead_letters();
    assert!(letters[0].error().contains("quote.get"), "{}", letters[0].error());
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_answered_with_the_reason() {
    let test = started().await;
    test.respond("quote.get", |order: u32| order).await.unwrap();
    test.publish("order.created", "ORD-1").await.unwrap();
    test.settled().await;
    let letters = test.dead_letters();
    assert!(letters[0].error().contains("400: the request cannot be read"), "{}", letters[0].error());
}
