//! Goal: a dead-letter handler receives every dead letter of its pattern with its story, and what it fails on is never
//! a dead letter of a dead letter.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, unique};

const LIMIT: Duration = Duration::from_secs(20);

type Letters = Arc<Mutex<Vec<String>>>;

#[topic_subscriber("order.created", max_attempts = 1)]
async fn refuses(order: serde_json::Value) -> Result<(), Failure> {
    Err(Failure::validation(format!("no total in {order}")))
}

#[topic_subscriber("user.created", max_attempts = 1)]
async fn refuses_users(_user: u32) {}

#[dead_letter_handler("order.*")]
async fn of_orders(letter: DeadLetter, State(letters): State<Letters>) -> Result<(), Failure> {
    let order: serde_json::Value = letter.payload()?;
    let story = [letter.reason(), letter.consumer(), letter.event_id(), letter.original_subject()].join(" ");
    letters.lock().unwrap().push(format!("{story} {order} {:?}", letter.deliveries()));
    Ok(())
}

#[dead_letter_handler("user.{kind}", max_attempts = 2, backoff = "20ms")]
async fn of_users(letter: DeadLetter, kind: String, State(letters): State<Letters>) -> Result<(), std::io::Error> {
    letters.lock().unwrap().push(format!("{} {kind} {} bytes", letter.reason(), letter.body().len()));
    Err(std::io::Error::other("nobody wants it"))
}

async fn letters_reach_their_handler(url: &str) {
    let letters = Letters::default();
    let app = App::builder().config(config(url, "letters")).state(letters.clone()).subscriber(refuses {});
    let app = app.subscriber(refuses_users {}).subscriber(of_orders {}).subscriber(of_users {});
    let running = app.build().unwrap().start().await.unwrap();
    let order = serde_json::json!({ "id": 7 });
    running.publisher().message(&order).topic("order.created").event_id("order-7").publish().await.unwrap();
    running.publisher().publish("user.created", "no number").await.unwrap();
    // Two originals become dead letters; one letter is handled, the other is given up after its attempts.
    let stats = running.wait_until(|stats| stats.processed == 1 && stats.discarded == 1, LIMIT).await.unwrap();
    assert_eq!((stats.dead_lettered, stats.retried), (2, 1), "{stats:?}");
    assert!(running.shutdown().await.is_clean());

    let mut found = letters.lock().unwrap().clone();
    found.sort();
    assert_eq!(found[0..2].iter().filter(|text| text.starts_with("undecodable created ")).count(), 2, "{found:?}");
    assert_eq!(
        found[2], "validation letters-refuses order-7 test.letters.order.created {\"id\":7} Some(1)",
        "the story of the original"
    );
}

#[tokio::test]
async fn on_memory_letters_reach_their_handler() {
    letters_reach_their_handler(&format!("memory:{}", unique("letters"))).await;
}

#[tokio::test]
async fn on_nats_letters_reach_their_handler_and_stay_in_their_stream() {
    let server = NatsServer::start().await;
    letters_reach_their_handler(&server.url()).await;
    let inspector = Inspector::connect(&server.url()).await;
    assert_eq!(inspector.messages("test-letters-dlq").await.len(), 2, "no letter of a letter, none removed");
    for durable in ["letters-of_orders", "letters-of_users"] {
        assert!(inspector.is_settled("test-letters-dlq", durable).await, "{durable}");
    }
}
