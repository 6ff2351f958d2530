//! Goal: one event on two topics of one stream is stored twice, and a repeated publish of either is not stored again.
//! A stream remembers message ids, whatever the topic, so that each topic needs an id of its own: `{event_id}:{topic}`.
//! Method: 100 events, each published to both topics in one call, three times under the same event id; subscribers
//! count. The same bare id on a second topic is not stored, and the publisher is told: `duplicate`, with the place of
//! the first.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config};
use serde::{Deserialize, Serialize};

const LIMIT: Duration = Duration::from_secs(30);
const EVENTS: u64 = 100;
const TOPICS: [&str; 2] = ["order.placed", "audit.order-placed"];
const STREAM: &str = "test-a9-stream";

#[derive(Serialize, Deserialize)]
struct OrderPlaced {
    number: u64,
}

/// Every run: topic, event id and number.
type Seen = Arc<Mutex<Vec<(String, String, u64)>>>;

fn note(seen: &Seen, order: &OrderPlaced, context: &Context) {
    seen.lock().unwrap().push((context.topic().to_owned(), context.event_id().to_owned(), order.number));
}

#[topic_subscriber("order.placed")]
async fn reserves(order: OrderPlaced, context: Context, State(seen): State<Seen>) {
    note(&seen, &order, &context);
}

#[topic_subscriber("audit.*")]
async fn audits(order: OrderPlaced, context: Context, State(seen): State<Seen>) {
    note(&seen, &order, &context);
}

fn id(number: u64) -> String {
    format!("order-placed-{number}")
}

/// One result for each topic, all stored.
async fn publish(publisher: &Publisher, number: u64) -> Vec<Published> {
    let published = publisher.message(&OrderPlaced { number }).event_id(id(number)).publish_to(TOPICS).await;
    assert!(published.is_ok(), "{published:?}");
    published.results.into_iter().map(|result| result.result.unwrap()).collect()
}

/// Each event to both topics, then twice again.
async fn ids_of_their_own(publisher: &Publisher) {
    let mut places = BTreeSet::new();
    for number in 0..EVENTS {
        let first = publish(publisher, number).await;
        for (published, topic) in first.iter().zip(TOPICS) {
            assert!(!published.duplicate, "{published:?}");
            assert_eq!((published.stream.as_str(), published.event_id.as_str()), (STREAM, id(number).as_str()));
            assert_eq!(published.subject, format!("test.a9.{topic}"));
            assert!(places.insert(published.sequence), "a place of its own: {published:?}");
        }
        for _ in 0..2 {
            for (again, first) in publish(publisher, number).await.iter().zip(&first) {
                assert!(again.duplicate, "{again:?}");
                assert_eq!((again.sequence, &again.subject), (first.sequence, &first.subject));
            }
        }
    }
    assert_eq!(places.len() as u64, 2 * EVENTS);
}

async fn bare(publisher: &Publisher, number: u64, topic: &str, id: &str) -> Published {
    publisher.message(&OrderPlaced { number }).topic(topic).event_id(id).publish().await.expect("an answer")
}

/// The hazard: the second topic gets nothing, which the answer says.
async fn one_bare_id(publisher: &Publisher) {
    for number in 0..EVENTS {
        let id = format!("bare-{number}");
        let first = bare(publisher, number, "bare.first", &id).await;
        let second = bare(publisher, number, "bare.second", &id).await;
        assert_eq!((first.duplicate, second.duplicate), (false, true), "{second:?}");
        assert_eq!(second.sequence, first.sequence, "the answer names the message that is stored");
    }
}

#[tokio::test]
async fn a9_same_id_two_topics() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let seen = Seen::default();
    let app = App::builder().config(config(&server.url(), "a9")).state(seen.clone());
    let running = app.subscriber(reserves {}).subscriber(audits {}).build().unwrap().start().await.unwrap();
    ids_of_their_own(running.publisher()).await;
    one_bare_id(running.publisher()).await;
    let stats = running.wait_until(|stats| stats.settled() == 2 * EVENTS, LIMIT).await.unwrap();
    assert_eq!((stats.received, stats.processed), (2 * EVENTS, 2 * EVENTS), "{stats:?}");
    assert!(running.shutdown().await.is_clean());

    let stored = inspector.messages(STREAM).await;
    let of = |subject: &str| -> Vec<String> {
        let found = stored.iter().filter(|message| message.subject.as_str() == subject);
        found.map(|message| message.headers.get("Nats-Msg-Id").expect("an id").as_str().to_owned()).collect()
    };
    for topic in TOPICS {
        let wanted: Vec<String> = (0..EVENTS).map(|number| format!("{}:{topic}", id(number))).collect();
        assert_eq!(of(&format!("test.a9.{topic}")), wanted, "stored once each");
    }
    assert_eq!((of("test.a9.bare.first").len() as u64, of("test.a9.bare.second").len()), (EVENTS, 0));
    assert_eq!(stored.len() as u64, 3 * EVENTS);

    let mut runs = seen.lock().unwrap().clone();
    runs.sort();
    let mut wanted: Vec<(String, String, u64)> =
        TOPICS.iter().flat_map(|topic| (0..EVENTS).map(move |n| ((*topic).to_owned(), id(n), n))).collect();
    wanted.sort();
    assert_eq!(runs, wanted, "each handler ran once for each event");
}
