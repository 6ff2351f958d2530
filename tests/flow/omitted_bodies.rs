//! Goal: a dead letter whose body did not fit is replayed with the body of its original; when the original is gone, the
//! replay says so, and the letter stays. Method: a document so large that the story does not fit beside it, and the few
//! headers of a replay do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::ErrorKind;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, unique};

const LIMIT: Duration = Duration::from_secs(20);

/// The default of the server, and of memory.
const MAX_PAYLOAD: usize = 1_024 * 1_024;

/// The headers of a replay take about 120 bytes more than those of the original, the story more than 340.
const SHORT_BY: usize = 250;

#[derive(Clone, Default)]
struct Archive {
    is_open: Arc<AtomicBool>,
    /// Event ids and documents.
    stored: Arc<Mutex<Vec<(String, String)>>>,
}

#[topic_subscriber("document.written")]
async fn stores(document: String, ctx: Context, State(archive): State<Archive>) -> Result<(), Failure> {
    if !archive.is_open.load(Ordering::SeqCst) {
        return Err(Failure::permanent("the archive is closed"));
    }
    archive.stored.lock().unwrap().push((ctx.event_id().to_owned(), document));
    Ok(())
}

async fn publish(publisher: &Publisher, document: &String) -> Result<Published> {
    publisher.message(document).topic("document.written").event_id("document-1").publish().await
}

/// Publishes a document of the size that is wanted, and waits until it is a dead letter; the document.
async fn a_dead_letter(running: &natspubsub::RunningApp) -> String {
    let document = |characters: usize| "abcdefg".chars().cycle().take(characters).collect::<String>();
    let refused = publish(running.publisher(), &document(MAX_PAYLOAD)).await.unwrap_err();
    let &ErrorKind::PayloadTooLarge { size, limit } = refused.kind() else { panic!("{refused}") };
    assert_eq!(limit, MAX_PAYLOAD);
    let document = document(MAX_PAYLOAD - (size - MAX_PAYLOAD) - SHORT_BY);
    publish(running.publisher(), &document).await.unwrap();
    running.wait_until(|stats| stats.dead_lettered == 1, LIMIT).await.unwrap();
    document
}

async fn start(url: &str, archive: &Archive) -> natspubsub::RunningApp {
    let app = App::builder().config(config(url, "large")).state(archive.clone()).subscriber(stores {});
    app.build().unwrap().start().await.unwrap()
}

async fn the_body_comes_from_the_original(url: &str) {
    let archive = Archive::default();
    let running = start(url, &archive).await;
    let document = a_dead_letter(&running).await;

    archive.is_open.store(true, Ordering::SeqCst);
    let letters = running.publisher().dead_letters();
    let replayed = letters.replay(1).await.unwrap();
    assert_eq!((replayed.event_id.as_str(), replayed.sequence, replayed.duplicate), ("document-1", 2, false));
    running.wait_until(|stats| stats.processed == 1, LIMIT).await.unwrap();
    let again = letters.replay(1).await.unwrap_err();
    assert_eq!(again.kind(), &ErrorKind::NotFound, "{again}");
    let report = running.shutdown().await;
    assert_eq!((report.dead_lettered, report.lost), (1, 0), "{report:?}");
    let stored = archive.stored.lock().unwrap();
    assert!(*stored == [("document-1".to_owned(), document)], "the whole document, once, under its own id");
}

#[tokio::test]
async fn on_memory_a_replay_takes_the_omitted_body_from_the_original() {
    the_body_comes_from_the_original(&format!("memory:{}", unique("large"))).await;
}

#[tokio::test]
async fn on_nats_a_replay_takes_the_omitted_body_from_the_original() {
    let server = NatsServer::start().await;
    the_body_comes_from_the_original(&server.url()).await;
}

#[tokio::test]
async fn a_replay_without_body_and_without_original_fails_and_says_so() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let archive = Archive::default();
    let running = start(&server.url(), &archive).await;
    a_dead_letter(&running).await;
    let letter = inspector.messages("test-large-dlq").await.remove(0);
    assert!(letter.payload.is_empty() && letter.headers.get("x-dlq-body-omitted").is_some(), "{:?}", letter.headers);
    let originals = inspector.jetstream.get_stream("test-large-stream").await.unwrap();
    assert!(originals.delete_message(1).await.unwrap());

    archive.is_open.store(true, Ordering::SeqCst);
    let error = running.publisher().dead_letters().replay(1).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NotFound, "{error}");
    let text = error.to_string();
    assert!(text.contains("did not fit") && text.contains("message 1 of \"test-large-stream\" is gone"), "{text}");
    running.shutdown().await;
    assert_eq!(inspector.messages("test-large-dlq").await.len(), 1, "the letter stays");
    assert_eq!(inspector.messages("test-large-stream").await.len(), 0, "nothing was published");
    assert_eq!(archive.stored.lock().unwrap().len(), 0);
}
