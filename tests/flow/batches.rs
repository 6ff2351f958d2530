//! Goal: a batch handler receives many messages at once, and each is settled on its own. Method: the same on the broker
//! in memory and on a real server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, unique};

const LIMIT: Duration = Duration::from_secs(20);

type Seen = Arc<Mutex<Vec<Vec<(u32, u64)>>>>;

/// 3 wants another try, 5 is discarded, 7 is a dead letter.
#[batch_subscriber("number.given", max = 10, wait = "100ms", backoff = "20ms", max_attempts = 2)]
async fn numbers(batch: Batch<u32>, State(seen): State<Seen>) {
    seen.lock().unwrap().push(batch.iter().map(|number| (**number, number.context().attempt())).collect());
    for number in batch {
        match *number {
            3 => number.retry(None),
            5 => number.discard("five"),
            7 => number.dead_letter("seven"),
            _ => {}
        }
    }
}

#[batch_subscriber("number.refused", max = 4, wait = "50ms", backoff = "20ms", max_attempts = 2)]
async fn refuses(batch: Batch<u32>, State(seen): State<Seen>) -> Result<(), std::io::Error> {
    seen.lock().unwrap().push(batch.iter().map(|number| (**number, number.context().attempt())).collect());
    Err(std::io::Error::other("the database is busy"))
}

async fn each_message_is_settled_on_its_own(url: &str) {
    let seen = Seen::default();
    let app = App::builder().config(config(url, "numbers")).state(seen.clone()).subscriber(numbers {});
    let running = app.build().unwrap().start().await.unwrap();
    for number in 0..25_u32 {
        running.publisher().publish("number.given", &number).await.unwrap();
    }
    running.publisher().publish("number.given", "no number").await.unwrap();
    let stats = running.wait_until(|stats| stats.settled() == 26, LIMIT).await.unwrap();
    // 3 uses up its attempts; the text is undecodable.
    assert_eq!((stats.processed, stats.retried, stats.discarded, stats.dead_lettered), (22, 1, 1, 3), "{stats:?}");
    running.shutdown().await;

    let batches = seen.lock().unwrap().clone();
    assert!(batches.iter().all(|batch| batch.len() <= 10), "{batches:?}");
    assert!(batches.iter().any(|batch| batch.len() > 1), "messages come together: {batches:?}");
    let mut all: Vec<(u32, u64)> = batches.concat();
    all.sort_unstable();
    let mut wanted: Vec<(u32, u64)> = (0..25).map(|number| (number, 1)).chain([(3, 2)]).collect();
    wanted.sort_unstable();
    assert_eq!(all, wanted, "every number once, and 3 twice");
}

#[tokio::test]
async fn on_memory_each_message_of_a_batch_is_settled_on_its_own() {
    each_message_is_settled_on_its_own(&format!("memory:{}", unique("batches"))).await;
}

#[tokio::test]
async fn on_nats_each_message_of_a_batch_is_settled_on_its_own() {
    let server = NatsServer::start().await;
    each_message_is_settled_on_its_own(&server.url()).await;
    let inspector = Inspector::connect(&server.url()).await;
    assert!(inspector.is_settled("test-numbers-stream", "numbers-numbers").await);
    assert_eq!(inspector.messages("test-numbers-dlq").await.len(), 3);
}

#[tokio::test]
async fn a_batch_that_fails_fails_for_each_of_its_messages() {
    let seen = Seen::default();
    let url = format!("memory:{}", unique("batches"));
    let app = App::builder().config(config(&url, "numbers")).state(seen.clone()).subscriber(refuses {});
    let running = app.build().unwrap().start().await.unwrap();
    for number in 0..4_u32 {
        running.publisher().publish("number.refused", &number).await.unwrap();
    }
    let stats = running.wait_until(|stats| stats.dead_lettered == 4, LIMIT).await.unwrap();
    assert_eq!((stats.processed, stats.retried), (0, 4), "{stats:?}");
    running.shutdown().await;
}
