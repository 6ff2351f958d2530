//! Goal: a crash loses nothing. Method: end the application while a handler runs.

use std::time::Duration;

use natspubsub::ErrorKind;
use natspubsub::prelude::*;
use natspubsub::testing::{End, TestApp};

#[topic_subscriber("order.created", timeout = "20s", ack_wait = "30s")]
async fn slow(_order: String) {
    tokio::time::sleep(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn a_message_in_hand_at_a_crash_comes_again() {
    let app = App::builder().config(Config::builder().app("orders").build().unwrap()).subscriber(slow {}).build();
    let test = TestApp::start(app.unwrap()).await.unwrap();
    let published = test.publish("order.created", "ORD-1").await.unwrap();
    test.advance(Duration::from_secs(5)).await;
    test.crash().await;
    test.start_again().await.unwrap();
    test.settled().await;
    let ends: Vec<End> = test.attempts(&published.event_id).into_iter().map(|attempt| attempt.end).collect();
    assert_eq!(ends, [End::CutOff, End::Handled]);
    assert!(test.shut_down().await.unwrap().is_clean());
}

#[tokio::test]
async fn an_application_that_was_shut_down_starts_again_where_it_was() {
    let app = App::builder().config(Config::builder().app("orders").build().unwrap()).subscriber(slow {}).build();
    let test = TestApp::start(app.unwrap()).await.unwrap();
    let handled = test.publish("order.created", "ORD-1").await.unwrap();
    test.settled().await;
    assert!(test.shut_down().await.unwrap().is_clean());
    assert!(test.shut_down().await.is_none(), "it does not run");
    let refused = test.publish("order.created", "ORD-2").await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::ShuttingDown);
    let before = test.now();
    test.start_again().await.unwrap();
    assert!(test.now() > before);
    test.publish("order.created", "ORD-3").await.unwrap();
    test.settled().await;
    test.assert_attempts(&handled.event_id, 1);
    test.assert_handled("slow", 2);
}
