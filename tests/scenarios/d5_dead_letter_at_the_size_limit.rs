//! Goal: a message so large that its story does not fit beside it still becomes exactly one dead letter, in the form that
//! refers to the original, and is not tried again and again. Method: headers and body together are 100 bytes below the
//! server's `max_payload`; what the publisher says about a message that is too large tells the size of the rest.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use natspubsub::ErrorKind;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually};

const LIMIT: Duration = Duration::from_secs(20);
const MESSAGES: u64 = 10;
const SHORT_BY: usize = 100;
/// The server's default.
const MAX_PAYLOAD: usize = 1_024 * 1_024;
/// What the headers of each message take; every id has one digit.
const HEADERS: usize = "NATS/1.0\r\nNats-Msg-Id: size-0\r\n\r\n".len();

type Runs = Arc<AtomicU64>;

#[topic_subscriber("document.stored", max_attempts = 5)]
async fn refuses(document: String, State(runs): State<Runs>) -> Result<(), Failure> {
    runs.fetch_add(1, Ordering::Relaxed);
    Err(Failure::permanent(format!("{} characters are too many", document.len())))
}

async fn publish(publisher: &Publisher, number: u64, characters: usize) -> Result<Published> {
    let document = "x".repeat(characters);
    publisher.message(&document).topic("document.stored").event_id(format!("size-{number}")).publish().await
}

/// The size of a message that the publisher refuses.
async fn refused_size(publisher: &Publisher, characters: usize) -> usize {
    let error = publish(publisher, 0, characters).await.unwrap_err();
    let &ErrorKind::PayloadTooLarge { size, limit } = error.kind() else { panic!("{error}") };
    assert_eq!(limit, MAX_PAYLOAD);
    size
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d5_dead_letter_at_the_size_limit() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let runs = Runs::default();
    let app = App::builder().config(config(&server.url(), "d5")).state(runs.clone()).subscriber(refuses {});
    let running = app.build().unwrap().start().await.unwrap();
    let publisher = running.publisher();

    let besides = refused_size(publisher, 2 * MAX_PAYLOAD).await - 2 * MAX_PAYLOAD;
    let characters = MAX_PAYLOAD - SHORT_BY - besides;
    assert_eq!(refused_size(publisher, characters + SHORT_BY + 1).await, MAX_PAYLOAD + 1, "the size is exact");
    for number in 0..MESSAGES {
        publish(publisher, number, characters).await.unwrap();
    }
    let stats = running.wait_until(|stats| stats.dead_lettered == MESSAGES, LIMIT).await.unwrap();
    assert_eq!((stats.retried, stats.unstored, stats.unanswered), (0, 0, 0), "{stats:?}");
    assert!(running.shutdown().await.is_clean());

    eventually("nothing is left", LIMIT, || async {
        inspector.is_settled("test-d5-stream", "d5-refuses").await.then_some(())
    })
    .await;
    let info = inspector.consumer("test-d5-stream", "d5-refuses").await;
    let counted = (runs.load(Ordering::Relaxed), info.delivered.consumer_sequence);
    assert_eq!(counted, (MESSAGES, MESSAGES), "each message ran once and was delivered once: no loop");

    let originals = inspector.jetstream.get_stream("test-d5-stream").await.unwrap().cached_info().state.messages;
    assert_eq!(originals, MESSAGES, "what the letters refer to is there");
    let letters = inspector.messages("test-d5-dlq").await;
    let mut referred: BTreeSet<String> = BTreeSet::new();
    for letter in &letters {
        let header = |name: &str| letter.headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default();
        let body = (MAX_PAYLOAD - SHORT_BY - HEADERS).to_string();
        assert_eq!((letter.payload.len(), header("x-dlq-body-omitted")), (0, body), "the reference form");
        let story = (header("x-dlq-reason"), header("x-original-stream"));
        assert_eq!(story, ("permanent".to_owned(), "test-d5-stream".to_owned()));
        referred.insert(header("x-original-sequence"));
    }
    let sequences: BTreeSet<String> = (1..=MESSAGES).map(|sequence| sequence.to_string()).collect();
    assert_eq!((letters.len() as u64, referred), (MESSAGES, sequences), "one letter for each original");
}
