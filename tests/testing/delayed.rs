//! Goal: what is delayed happens at its time, and counts until then as not settled. Method: virtual time.

use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::testing::TestApp;

const HOUR: Duration = Duration::from_secs(60 * 60);

#[topic_subscriber("order.created")]
async fn remind(order: String, publisher: Publisher) -> Result<(), Failure> {
    let reminder = publisher.message(&order).topic("reminder.due").delay(HOUR);
    reminder.publish().await.map_err(Failure::transient)?;
    Ok(())
}

#[topic_subscriber("reminder.due")]
async fn due(order: String) {
    assert_eq!(order, "ORD-1");
}

async fn started() -> TestApp {
    let config = Config::builder().app("orders").build().unwrap();
    let app = App::builder().config(config).subscriber(remind {}).subscriber(due {}).build();
    TestApp::start(app.unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_delayed_message_comes_at_its_time() {
    let test = started().await;
    if test.is_live() {
        return; // An hour.
    }
    test.publish("order.created", "ORD-1").await.unwrap();
    test.advance(HOUR - Duration::from_secs(1)).await;
    assert_eq!((test.handled("remind"), test.handled("due")), (1, 0));
    test.advance(Duration::from_secs(2)).await;
    assert_eq!(test.handled("due"), 1);
    assert_eq!(test.published::<String>("reminder.due"), ["ORD-1"]);
}

#[tokio::test]
async fn settling_waits_for_what_is_delayed() {
    let test = started().await;
    if test.is_live() {
        return; // An hour.
    }
    let began = test.now();
    test.publish("order.created", "ORD-1").await.unwrap();
    test.settled().await;
    assert_eq!(test.handled("due"), 1);
    assert!(test.now().duration_since(began).unsigned_abs() >= HOUR);
}
