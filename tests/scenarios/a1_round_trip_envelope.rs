//! Goal: a handler receives byte for byte what was published, with every header, and its context says where the message
//! lies and how often it was delivered. Method: 200 messages of different shapes (unicode, control characters, empty,
//! 900 KiB) with 20 headers each; every tenth fails once, so that a second delivery is compared too. A published
//! message always has an envelope, so a message of 0 bytes comes from a foreign client: it becomes a dead letter of 0
//! bytes. Once `envelope = false` runs, a message of 0 bytes can reach a handler: that is another test.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config};

const LIMIT: Duration = Duration::from_secs(60);
const MESSAGES: u64 = 200;
const HEADERS: u64 = 20;
const LARGE: usize = 900 * 1024;

/// Messages whose sequence is a multiple of this fail on their first attempt.
const AGAIN: u64 = 10;

/// One delivery.
struct Seen {
    body: Vec<u8>,
    context: Context,
    headers: Headers,
    metadata: Metadata,
}

type Shared = Arc<Mutex<Vec<Seen>>>;

#[topic_subscriber("shape.*.sent", concurrency = 4, backoff = "10ms", jitter = false)]
async fn receives(
    Raw(body): Raw,
    context: Context,
    headers: Headers,
    metadata: Metadata,
    State(seen): State<Shared>,
) -> Result<(), std::io::Error> {
    let fails = context.sequence().is_multiple_of(AGAIN) && context.attempt() == 1;
    seen.lock().unwrap().push(Seen { body: body.to_vec(), context, headers, metadata });
    if fails { Err(std::io::Error::other("not now")) } else { Ok(()) }
}

/// One message as it was published.
struct Sent {
    number: u64,
    topic: String,
    body: Vec<u8>,
    headers: Vec<(String, String)>,
    published: Published,
}

fn text(number: u64) -> String {
    match number % 8 {
        0 => format!("{number:08}").repeat(LARGE / 8),
        1 => String::new(),
        2 => "\u{0}\u{1}\t\r\n\"\\/\u{7f}\u{2028}\u{feff}".to_owned(),
        3 => format!("{number} Grüße, 東京, \u{5e9}\u{5dc}, e\u{301}, \u{1f469}\u{200d}\u{1f467}, \u{10ffff}"),
        4 => "äöü€😀".repeat(4_096),
        _ => format!("message {number}"),
    }
}

/// Most names once, one name with two values.
fn headers(number: u64) -> Vec<(String, String)> {
    let once = (2..HEADERS).map(|index| (format!("X-Header-{index}"), format!("{number}/{index}: grün, 東京")));
    let twice = ["first", "second"].map(|value| ("x-twice".to_owned(), value.to_owned()));
    once.chain(twice).collect()
}

async fn publish(publisher: &Publisher, number: u64) -> Sent {
    let (topic, text, headers) = (format!("shape.s{}.sent", number % 8), text(number), headers(number));
    let message = publisher.message(text.as_str()).topic(topic.as_str()).correlation_id(format!("c-{number}"));
    let message = headers.iter().fold(message, |message, (name, value)| message.header(name.as_str(), value.as_str()));
    let published = message.publish().await.expect("the message is stored");
    let body = serde_json::to_vec(&text).expect("a text is JSON");
    Sent { number, topic, body, headers, published }
}

fn check(sent: &Sent, seen: &Seen, delivery: u64) {
    let (number, published, context) = (sent.number, &sent.published, &seen.context);
    assert!(seen.body == sent.body, "message {number}: {} bytes, not {}", seen.body.len(), sent.body.len());

    let mut wanted = sent.headers.clone();
    wanted.push(("Nats-Msg-Id".to_owned(), published.event_id.clone()));
    wanted.sort();
    let mut found: Vec<(String, String)> =
        seen.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let twice: Vec<&str> = seen.headers.iter().filter(|(name, _)| *name == "x-twice").map(|(_, value)| value).collect();
    assert_eq!(twice, ["first", "second"], "message {number}: values of one name keep their order");
    found.sort();
    assert_eq!(found, wanted, "message {number}");
    assert_eq!(context.headers(), &seen.headers, "message {number}");

    assert_eq!((context.stream(), context.sequence()), (published.stream.as_str(), published.sequence));
    assert_eq!((context.subject(), context.topic()), (published.subject.as_str(), sent.topic.as_str()));
    assert_eq!((context.deliveries(), context.attempt()), (delivery, delivery), "message {number}");
    assert_eq!((context.subscriber(), context.durable()), ("receives", "a1-receives"));
    assert_eq!(context.event_id(), published.event_id);
    assert!(context.occurred_at().is_some(), "message {number}");
    assert_eq!(context.correlation_id(), Some(format!("c-{number}").as_str()));
    assert_eq!(seen.metadata.correlation_id.as_deref(), context.correlation_id());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a1_round_trip_envelope() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let seen = Shared::default();
    let app = App::builder().config(config(&server.url(), "a1")).state(seen.clone()).subscriber(receives {});
    let running = app.build().unwrap().start().await.unwrap();
    let publishing = futures::stream::iter((0..MESSAGES).map(|number| publish(running.publisher(), number)));
    let sent: Vec<Sent> = publishing.buffer_unordered(20).collect().await;
    let foreign = inspector.jetstream.publish("test.a1.shape.empty.sent", "".into()).await.unwrap().await.unwrap();
    assert_eq!(foreign.sequence, MESSAGES + 1, "each message is stored once");
    let ended = running.wait_until(|stats| stats.processed == MESSAGES && stats.dead_lettered == 1, LIMIT).await;
    let stats = ended.unwrap();
    assert_eq!(stats.retried, MESSAGES / AGAIN, "the second deliveries happened: {stats:?}");
    assert!(running.shutdown().await.is_clean());
    let letters = inspector.messages("test-a1-dlq").await;

    let mut deliveries: BTreeMap<u64, Vec<&Seen>> = BTreeMap::new();
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    for delivery in &seen {
        deliveries.entry(delivery.context.sequence()).or_default().push(delivery);
    }
    assert_eq!(deliveries.len(), sent.len(), "the message of 0 bytes reached no handler");
    for sent in &sent {
        let sequence = sent.published.sequence;
        let wanted = if sequence.is_multiple_of(AGAIN) { 2 } else { 1 };
        assert_eq!(deliveries[&sequence].len(), wanted, "message {}", sent.number);
        for (seen, delivery) in deliveries[&sequence].iter().zip(1..) {
            check(sent, seen, delivery);
        }
    }
    assert_eq!(sent.iter().filter(|sent| sent.body.len() > LARGE).count(), 25, "the large ones were sent");

    assert_eq!(letters.len(), 1);
    let header = |name: &str| letters[0].headers.get(name).map(|value| value.as_str().to_owned());
    assert!(letters[0].payload.is_empty(), "0 bytes stay 0 bytes");
    assert_eq!(header("x-dlq-body-omitted"), None);
    assert_eq!(header("x-dlq-reason").as_deref(), Some("undecodable"));
    assert_eq!(header("x-original-sequence"), Some(foreign.sequence.to_string()));
}
