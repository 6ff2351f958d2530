//! Goal: an error declared permanent makes a dead letter at once; an error that nobody has classified is tried again, and
//! makes one only after the last attempt. Method: 100 messages of each kind; every run is counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::jetstream::message::StreamMessage;
use futures::StreamExt;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually};

const LIMIT: Duration = Duration::from_secs(20);
/// Of each kind.
const MESSAGES: u64 = 100;
const ATTEMPTS: u64 = 3;

/// Runs of each message, by subscriber.
type Runs = Arc<Mutex<BTreeMap<(&'static str, u64), u64>>>;

fn note(runs: &Runs, subscriber: &'static str, number: u64) {
    *runs.lock().unwrap().entry((subscriber, number)).or_default() += 1;
}

#[derive(Debug, thiserror::Error, HandlerError)]
enum OrderError {
    #[error("unknown sku {0}")]
    #[permanent]
    UnknownSku(u64),
}

#[topic_subscriber("order.created", max_attempts = 3, backoff = "50ms")]
async fn refuses(number: u64, State(runs): State<Runs>) -> Result<(), OrderError> {
    note(&runs, "refuses", number);
    Err(OrderError::UnknownSku(number))
}

/// Whether the error of a message goes away at the second attempt.
fn recovers(number: u64) -> bool {
    number.is_multiple_of(2)
}

/// Its errors have no type that could say what they mean.
#[topic_subscriber("user.created", max_attempts = 3, backoff = "50ms")]
async fn stumbles(
    number: u64,
    ctx: Context,
    State(runs): State<Runs>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    note(&runs, "stumbles", number);
    if recovers(number) && ctx.attempt() == 2 {
        return Ok(());
    }
    Err(format!("nobody has seen {number} before").into())
}

fn header(letter: &StreamMessage, name: &str) -> String {
    letter.headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default()
}

/// The numbers in the dead letters of one consumer, after a look at the story of each.
fn letters_of(letters: &[StreamMessage], durable: &str, reason: &str, deliveries: u64) -> Vec<u64> {
    let of_durable = letters.iter().filter(|letter| header(letter, "x-consumer") == durable);
    let mut numbers: Vec<u64> = of_durable
        .map(|letter| {
            let story = (header(letter, "x-dlq-reason"), header(letter, "x-deliveries"));
            assert_eq!(story, (reason.to_owned(), deliveries.to_string()), "{durable}");
            let body: serde_json::Value = serde_json::from_slice(&letter.payload).unwrap();
            body["message"].as_u64().unwrap()
        })
        .collect();
    numbers.sort_unstable();
    numbers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_permanent_and_unknown_errors() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let runs = Runs::default();
    let app = App::builder().config(config(&server.url(), "d2")).state(runs.clone());
    let running = app.subscriber(refuses {}).subscriber(stumbles {}).build().unwrap().start().await.unwrap();
    let publisher = running.publisher();
    let publishing = (0..2 * MESSAGES).map(|index| async move {
        let topic = if index % 2 == 0 { "order.created" } else { "user.created" };
        publisher.publish(topic, &(index / 2)).await.unwrap()
    });
    futures::stream::iter(publishing).buffer_unordered(50).for_each(|_| std::future::ready(())).await;

    let recovered: Vec<u64> = (0..MESSAGES).filter(|number| recovers(*number)).collect();
    let hopeless: Vec<u64> = (0..MESSAGES).filter(|number| !recovers(*number)).collect();
    let dead = MESSAGES + hopeless.len() as u64;
    let all = |stats: &natspubsub::Stats| stats.settled() == 2 * MESSAGES;
    let stats = running.wait_until(all, LIMIT).await.unwrap();
    let retried = recovered.len() as u64 + hopeless.len() as u64 * (ATTEMPTS - 1);
    let counted = (stats.processed, stats.retried, stats.dead_lettered, stats.discarded);
    assert_eq!(counted, (recovered.len() as u64, retried, dead, 0), "{stats:?}");
    assert_eq!(stats.received, 2 * MESSAGES + retried, "nothing was delivered without need");
    assert!(running.shutdown().await.is_clean());

    let runs = runs.lock().unwrap().clone();
    for number in 0..MESSAGES {
        let wanted = if recovers(number) { 2 } else { ATTEMPTS };
        let counted = (runs[&("refuses", number)], runs[&("stumbles", number)]);
        assert_eq!(counted, (1, wanted), "runs of message {number}");
    }
    let letters = inspector.messages("test-d2-dlq").await;
    assert_eq!(letters.len() as u64, dead);
    assert_eq!(letters_of(&letters, "d2-refuses", "permanent", 1), (0..MESSAGES).collect::<Vec<u64>>());
    assert_eq!(letters_of(&letters, "d2-stumbles", "exhausted", ATTEMPTS), hopeless);
    for durable in ["d2-refuses", "d2-stumbles"] {
        eventually("nothing is left", LIMIT, || async {
            inspector.is_settled("test-d2-stream", durable).await.then_some(())
        })
        .await;
    }
}
