//! Goal: a dead letter that is replayed runs once more, in the subscriber that gave it up and in no other, under its old
//! event id, inside the duplicate window and outside of it; a second replay of the same letter is refused. Method: a
//! handler that rejects everything until its cause is mended, beside one that never fails. With an inbox, the replayed
//! event must pass it: that is a test of the inbox.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::ErrorKind;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually};

const JOBS: usize = 50;
const LIMIT: Duration = Duration::from_secs(20);

/// Runs by subscriber and event id.
type Runs = Arc<Mutex<BTreeMap<(&'static str, String), u32>>>;

#[derive(Clone, Default)]
struct Scene {
    mended: Arc<AtomicBool>,
    runs: Runs,
}

impl Scene {
    fn note(&self, subscriber: &'static str, ctx: &Context) {
        *self.runs.lock().unwrap().entry((subscriber, ctx.event_id().to_owned())).or_default() += 1;
    }

    /// The event ids that a subscriber ran so often.
    fn ran(&self, subscriber: &str, times: u32) -> usize {
        self.runs.lock().unwrap().iter().filter(|((by, _), runs)| *by == subscriber && **runs == times).count()
    }
}

#[topic_subscriber("job.created")]
async fn rejects(job: u64, ctx: Context, State(scene): State<Scene>) -> Result<(), Failure> {
    scene.note("rejects", &ctx);
    match scene.mended.load(Ordering::SeqCst) {
        true => Ok(()),
        false => Err(Failure::permanent(format!("{job} is not for us yet"))),
    }
}

#[topic_subscriber("job.created")]
async fn accepts(job: u64, ctx: Context, State(scene): State<Scene>) {
    let _ = job;
    scene.note("accepts", &ctx);
}

/// Publishes until the window has forgotten an id that it knew.
async fn outside_the_window(publisher: &Publisher) {
    let canary = || publisher.message(&0).topic("canary.sung").event_id("canary").publish();
    canary().await.unwrap();
    eventually("the duplicate window is over", LIMIT, async || {
        let again = canary().await.unwrap();
        (!again.duplicate).then_some(())
    })
    .await;
}

async fn replayed(app: &str, window: Duration, is_outside: bool) {
    let server = NatsServer::start().await;
    let scene = Scene::default();
    let builder = Config::builder().url(server.url()).env("test").app(app).stream_duplicate_window(window);
    let app = App::builder().config(builder.build().unwrap()).state(scene.clone());
    let running = app.subscriber(rejects {}).subscriber(accepts {}).build().unwrap().start().await.unwrap();
    let publisher = running.publisher();
    for job in 0..JOBS {
        publisher.message(&job).topic("job.created").event_id(format!("job-{job}")).publish().await.unwrap();
    }
    let wanted = JOBS as u64;
    running.wait_until(|stats| (stats.dead_lettered, stats.processed) == (wanted, wanted), LIMIT).await.unwrap();
    if is_outside {
        outside_the_window(publisher).await;
    }

    scene.mended.store(true, Ordering::SeqCst);
    let letters = publisher.dead_letters();
    let first = letters.replay(1).await.unwrap();
    assert!(!first.duplicate && first.event_id.starts_with("job-"), "{first:?}");
    let again = letters.replay(1).await.unwrap_err();
    assert_eq!(again.kind(), &ErrorKind::NotFound, "{again}");
    assert_eq!(letters.replay_all().await.unwrap(), wanted - 1);

    running.wait_until(|stats| stats.processed == 2 * wanted, LIMIT).await.unwrap();
    running.wait_until(|stats| stats.discarded == wanted, LIMIT).await.unwrap();
    let report = running.shutdown().await;
    assert_eq!((report.dead_lettered, report.lost), (wanted, 0), "{report:?}");
    assert_eq!(scene.ran("rejects", 2), JOBS, "each runs once more, under its own id: {:?}", scene.runs);
    assert_eq!(scene.ran("accepts", 1), JOBS, "the other one does not run again: {:?}", scene.runs);
}

#[tokio::test]
async fn d10_replayed_inside_the_duplicate_window() {
    replayed("d10-inside", Duration::from_secs(120), false).await;
}

#[tokio::test]
async fn d10_replayed_outside_the_duplicate_window() {
    replayed("d10-outside", Duration::from_secs(1), true).await;
}

/// A letter that fails again has its new story only, and can be replayed again.
#[tokio::test]
async fn d10_a_replayed_message_that_fails_again_is_one_new_letter() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let scene = Scene::default();
    let app = App::builder().config(config(&server.url(), "d10-again")).state(scene.clone()).subscriber(rejects {});
    let running = app.build().unwrap().start().await.unwrap();
    running.publisher().message(&1).topic("job.created").event_id("job-1").publish().await.unwrap();
    running.wait_until(|stats| stats.dead_lettered == 1, LIMIT).await.unwrap();
    for round in 1..=2_u64 {
        assert_eq!(running.publisher().dead_letters().replay_all().await.unwrap(), 1);
        running.wait_until(|stats| stats.dead_lettered == round + 1, LIMIT).await.unwrap();
    }
    running.shutdown().await;
    let letters = inspector.messages("test-d10-again-dlq").await;
    assert_eq!(letters.len(), 1, "a replayed letter is gone");
    let values = |name: &str| letters[0].headers.get_all(name).map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(values("x-dlq-reason"), ["permanent"]);
    assert_eq!(values("x-event-id"), ["job-1"]);
    assert_eq!(values("x-original-sequence"), ["3"]);
    assert_eq!(values("x-replay"), ["2"]);
    assert_eq!(scene.ran("rejects", 3), 1);
}

/// Two messages with one event id, as a foreign publisher may write them, are two letters and two replays.
#[tokio::test]
async fn d10_letters_with_one_event_id_are_replayed_each_and_only_to_a_consumer_that_exists() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let scene = Scene::default();
    let app = App::builder().config(config(&server.url(), "d10-twins")).state(scene.clone()).subscriber(rejects {});
    let running = app.build().unwrap().start().await.unwrap();
    for _ in 0..2 {
        let body = r#"{"event_id":"twin","message":1}"#;
        inspector.jetstream.publish("test.d10-twins.job.created", body.into()).await.unwrap().await.unwrap();
    }
    running.wait_until(|stats| stats.dead_lettered == 2, LIMIT).await.unwrap();
    assert_eq!(running.publisher().dead_letters().replay_all().await.unwrap(), 2);
    running.wait_until(|stats| stats.dead_lettered == 4, LIMIT).await.unwrap();
    assert_eq!(scene.ran("rejects", 4), 1, "{:?}", scene.runs);
    running.shutdown().await;

    inspector.jetstream.delete_consumer_from_stream("d10-twins-rejects", "test-d10-twins-stream").await.unwrap();
    let publisher = Publisher::connect(config(&server.url(), "d10-twins")).await.unwrap();
    let error = publisher.dead_letters().replay_all().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("d10-twins-rejects"), "{error}");
    assert_eq!(inspector.messages("test-d10-twins-dlq").await.len(), 2, "the letters stay");
}
