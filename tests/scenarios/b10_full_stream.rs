//! Goal: a stream that is full and refuses new messages loses nothing: every refusal is `Rejected` and says why, a
//! refused event is certainly not stored and is stored when there is room, and what was confirmed is exactly what is
//! handled. Method: somebody limits the stream to 1,000 messages with `discard = new`; 3,000 events are offered, first
//! while the consumer is paused; then it goes on, and a purge of what was handled makes room, until all are stored.
//!
//! The caller keeps the refused events here; with an outbox their rows would wait for the room, which is another test.

use std::collections::BTreeSet;
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::jetstream::stream::DiscardPolicy;
use futures::StreamExt;
use natspubsub::ErrorKind;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, Observed, config, eventually};

const EVENTS: u64 = 3_000;
const ROOM: u64 = 1_000;
const LIMIT: Duration = Duration::from_secs(30);
const STREAM: &str = "test-b10-stream";
const DURABLE: &str = "b10-sees";

type Seen = Arc<Mutex<Vec<u64>>>;

#[topic_subscriber("event.made")]
async fn sees(event: u64, State(seen): State<Seen>) {
    seen.lock().unwrap().push(event);
}

/// Changes the stream as an operator does: read, change, write.
async fn limit_the_stream(inspector: &Inspector) {
    let stream = inspector.jetstream.get_stream(STREAM).await.unwrap();
    let mut config = stream.cached_info().config.clone();
    config.max_messages = i64::try_from(ROOM).unwrap();
    config.discard = DiscardPolicy::New;
    inspector.jetstream.update_stream(&config).await.unwrap();
}

/// Pauses the consumer until then; a moment that has passed lets it go on.
async fn pause_until(inspector: &Inspector, until: &str) {
    let subject = format!("$JS.API.CONSUMER.PAUSE.{STREAM}.{DURABLE}");
    let body = format!("{{\"pause_until\":\"{until}\"}}");
    let answer = inspector.client.request(subject, body.into()).await.unwrap();
    let text = String::from_utf8_lossy(&answer.payload).into_owned();
    assert!(!text.contains("error"), "{text}");
}

/// Offers each event once: those that were stored, and those that were refused.
async fn offer(publisher: &Publisher, events: Vec<u64>) -> (BTreeSet<u64>, Vec<u64>) {
    let offers = events.into_iter().map(|event| async move {
        let message = publisher.message(&event).topic("event.made").event_id(format!("b10-{event}"));
        let answer = message.publish().await;
        (event, answer)
    });
    let mut offers = futures::stream::iter(offers).buffer_unordered(100);
    let (mut stored, mut refused) = (BTreeSet::new(), Vec::new());
    while let Some((event, answer)) = offers.next().await {
        match answer {
            Ok(published) => {
                assert!(!published.duplicate, "event {event} had been stored, though it was refused");
                stored.insert(event);
            }
            Err(error) => {
                let text = error.to_string();
                assert_eq!(error.kind(), &ErrorKind::Rejected, "{text}");
                assert!(text.contains("maximum messages exceeded") && text.contains("test.b10.event.made"), "{text}");
                refused.push(event);
            }
        }
    }
    (stored, refused)
}

/// Purges the stream when everything in it is handled.
async fn make_room(inspector: &Inspector) {
    eventually("everything is handled", LIMIT, || async { inspector.is_settled(STREAM, DURABLE).await.then_some(()) })
        .await;
    let stream = inspector.jetstream.get_stream(STREAM).await.unwrap();
    assert_eq!(stream.cached_info().state.messages, ROOM, "it was full");
    assert_eq!(stream.purge().await.unwrap().purged, ROOM);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b10_a_full_stream_refuses_and_loses_nothing() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let seen = Seen::default();
    let app = App::builder().config(config(&server.url(), "b10")).state(seen.clone()).subscriber(sees {});
    let running = app.build().unwrap().start().await.unwrap();
    limit_the_stream(&inspector).await;
    pause_until(&inspector, "2100-01-01T00:00:00Z").await;

    let (mut confirmed, mut waiting) = (BTreeSet::new(), (0..EVENTS).collect::<Vec<u64>>());
    let mut refusals = Vec::new();
    while !waiting.is_empty() {
        let (stored, refused) = offer(running.publisher(), waiting).await;
        assert_eq!(stored.len() as u64, ROOM, "it takes what there is room for");
        confirmed.extend(stored);
        if refusals.is_empty() {
            assert_eq!(running.stats().processed, 0, "the consumer is paused");
            pause_until(&inspector, "2000-01-01T00:00:00Z").await;
        }
        refusals.push(refused.len() as u64);
        eventually("what was confirmed is handled", LIMIT, || {
            ready((seen.lock().unwrap().len() >= confirmed.len()).then_some(()))
        })
        .await;
        make_room(&inspector).await;
        waiting = refused;
    }
    assert_eq!(refusals, [2 * ROOM, ROOM, 0], "the stream was full twice");

    let attempted = (0..EVENTS).collect();
    let handled = seen.lock().unwrap().clone();
    let observed = Observed { attempted, confirmed, handled, ..Observed::default() };
    let verdict = observed.assert_nothing_lost();
    assert_eq!(observed.confirmed.len() as u64, EVENTS);
    assert!(verdict.recovered.is_empty() && verdict.unknown.is_empty(), "confirmed is handled: {verdict:?}");
    assert_eq!(verdict.extra_runs, 0);
    let report = running.shutdown().await;
    assert_eq!((report.processed, report.dead_lettered, report.lost), (EVENTS, 0, 0), "{report:?}");
}
