//! Goal: a body that cannot be read becomes a dead letter with the same bytes and never reaches the handler, while the
//! messages around it are handled as if it were not there. Method: every tenth message of a busy subject is written by
//! hand: bad JSON, a wrong schema, bytes that are no UTF-8, gzip that breaks off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::message::StreamMessage;
use futures::StreamExt;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually};
use serde::{Deserialize, Serialize};

const LIMIT: Duration = Duration::from_secs(20);
const MESSAGES: u64 = 1_000;
const BAD: u64 = 100;

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    number: u64,
}

/// The messages that reached the handler.
type Seen = Arc<Mutex<Vec<u64>>>;

#[topic_subscriber("order.created")]
async fn takes(order: Order, State(seen): State<Seen>) {
    seen.lock().unwrap().push(order.number);
}

/// The body of a bad message, a different one for each number, and its content encoding; `None` for a good one.
fn bad_body(number: u64) -> Option<(Vec<u8>, &'static str)> {
    /// Deflate, no flags, no time, no extra flags, Unix.
    const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    if number % 10 != 7 {
        return None;
    }
    let body = match number / 10 % 4 {
        0 => format!("{{\"message\":{{\"number\":{number}").into_bytes(),
        1 => format!("{{\"message\":{{\"number\":\"number {number}\"}}}}").into_bytes(),
        2 => [format!("{{\"message\":{{\"number\":{number},\"note\":\"").as_bytes(), b"\xff\xfe\"}}"].concat(),
        _ => return Some(([&GZIP_HEADER[..], &number.to_le_bytes()].concat(), "gzip")),
    };
    Some((body, "identity"))
}

async fn publish(publisher: &Publisher, inspector: &Inspector, number: u64) {
    let Some((body, encoding)) = bad_body(number) else {
        publisher.publish("order.created", &Order { number }).await.unwrap();
        return;
    };
    let mut headers = HeaderMap::new();
    headers.insert("Content-Encoding", encoding);
    let sent = inspector.jetstream.publish_with_headers("test.d3.order.created", headers, body.into()).await.unwrap();
    sent.await.unwrap();
}

fn header(letter: &StreamMessage, name: &str) -> String {
    letter.headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d3_undecodable_payloads() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let seen = Seen::default();
    let app = App::builder().config(config(&server.url(), "d3")).state(seen.clone()).subscriber(takes {});
    let running = app.build().unwrap().start().await.unwrap();
    let publishing = (0..MESSAGES).map(|number| publish(running.publisher(), &inspector, number));
    futures::stream::iter(publishing).buffer_unordered(50).for_each(std::future::ready).await;

    let stats = running.wait_until(|stats| stats.settled() == MESSAGES, LIMIT).await.unwrap();
    let counted = (stats.processed, stats.dead_lettered, stats.retried, stats.received);
    assert_eq!(counted, (MESSAGES - BAD, BAD, 0, MESSAGES), "each message was delivered once: {stats:?}");
    assert!(running.shutdown().await.is_clean());

    let mut seen = seen.lock().unwrap().clone();
    seen.sort_unstable();
    let good: Vec<u64> = (0..MESSAGES).filter(|number| bad_body(*number).is_none()).collect();
    assert_eq!(seen, good, "the handler ran once for each good message and for nothing else");

    let wanted: BTreeMap<Vec<u8>, &str> = (0..MESSAGES).filter_map(bad_body).collect();
    assert_eq!(wanted.len() as u64, BAD, "every bad body is different");
    let letters = inspector.messages("test-d3-dlq").await;
    assert_eq!(letters.len() as u64, BAD);
    for letter in &letters {
        let encoding = wanted.get(&letter.payload[..]).expect("the bytes are those that were published");
        assert_eq!(header(letter, "Content-Encoding"), *encoding, "the headers of the original are kept");
        let story = (header(letter, "x-dlq-reason"), header(letter, "x-deliveries"));
        assert_eq!(story, ("undecodable".to_owned(), "1".to_owned()));
        assert!(!header(letter, "x-dlq-error").is_empty());
    }
    let bodies: BTreeSet<&[u8]> = letters.iter().map(|letter| letter.payload.as_ref()).collect();
    assert_eq!(bodies.len() as u64, BAD, "each of them once");
    eventually("nothing is left", LIMIT, || async {
        inspector.is_settled("test-d3-stream", "d3-takes").await.then_some(())
    })
    .await;
}
