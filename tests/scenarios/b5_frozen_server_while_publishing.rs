//! Goal: a server that is frozen for 20 s never makes a publish "fail": each one without an answer is `Unknown`, each
//! one that was never sent is known not to be stored, the automatic retries and those of the caller have the same id,
//! nothing is lost and each event is stored once; the application says within three pings that it is not connected.
//! Method: SIGSTOP for 20 s while 100 events a second are published, each whatever became of those before it.

use std::collections::BTreeSet;
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use natspubsub::prelude::*;
use natspubsub::{ErrorKind, HealthStatus, RunningApp};
use natspubsub_tests::{Inspector, NatsServer, Observed, eventually};
use tokio::task::JoinSet;

/// 24 s at 100 a second: some before the freeze and some after it.
const EVENTS: u64 = 2_400;
const PACE: Duration = Duration::from_millis(10);
const FREEZE: Duration = Duration::from_secs(20);
const PING: Duration = Duration::from_secs(2);
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(30);

/// What three pings may be late by on a busy machine.
const SLACK: Duration = Duration::from_secs(1);

type Seen = Arc<Mutex<Vec<u64>>>;

#[topic_subscriber("event.made", ack_wait = "5s")]
async fn sees(event: u64, State(seen): State<Seen>) {
    seen.lock().unwrap().push(event);
}

async fn start_app(url: &str, seen: &Seen) -> RunningApp {
    let config = Config::builder().url(url).env("test").app("b5").ping_interval(PING);
    let config = config.publish_timeout(PUBLISH_TIMEOUT).publish_attempts(3).build().unwrap();
    let app = App::builder().config(config).state(seen.clone()).subscriber(sees {});
    app.build().unwrap().start().await.unwrap()
}

/// What became of one publish, and how long it took.
struct Attempt {
    event: u64,
    took: Duration,
    result: Result<Published>,
}

async fn publish(publisher: Publisher, event: u64) -> Attempt {
    let begun = Instant::now();
    let message = publisher.message(&event).topic("event.made").event_id(format!("b5-{event}"));
    let result = message.publish().await;
    Attempt { event, took: begun.elapsed(), result }
}

/// Begins a publish every 10 ms.
async fn load(publisher: Publisher) -> Vec<Attempt> {
    let mut pace = tokio::time::interval(PACE);
    let mut publishing = JoinSet::new();
    for event in 0..EVENTS {
        pace.tick().await;
        publishing.spawn(publish(publisher.clone(), event));
    }
    publishing.join_all().await
}

fn says_not_connected(running: &RunningApp) -> bool {
    let health = running.health();
    let said = health.problems.iter().any(|problem| problem.starts_with("no connection to"));
    said && health.status == HealthStatus::Unhealthy
}

/// The events without a confirmation: those that may be stored, and those that are certainly not, because there was no
/// connection to send them by.
fn unconfirmed(attempts: &[Attempt]) -> (Vec<u64>, Vec<u64>) {
    let (mut unknown, mut unsent) = (Vec::new(), Vec::new());
    for attempt in attempts {
        match attempt.result.as_ref().map_err(natspubsub::Error::kind) {
            Ok(_) => {}
            Err(ErrorKind::Unknown) => unknown.push(attempt.event),
            Err(ErrorKind::Connect) => unsent.push(attempt.event),
            Err(_) => panic!("event {}: {:?}", attempt.event, attempt.result),
        }
    }
    (unknown, unsent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b5_a_frozen_server_makes_no_publish_fail() {
    let server = NatsServer::start().await;
    let seen = Seen::default();
    let running = start_app(&server.url(), &seen).await;
    let load = tokio::spawn(load(running.publisher().clone()));
    running.wait_until(|stats| stats.processed >= 100, LIMIT).await.unwrap();
    assert!(!says_not_connected(&running));

    let noticed = eventually("the application says that it is not connected", PING * 3 + SLACK, || {
        ready(says_not_connected(&running).then_some(()))
    });
    tokio::join!(server.freeze_for(FREEZE), noticed);
    eventually("the application works again", LIMIT, || {
        ready((running.health().status == HealthStatus::Healthy).then_some(()))
    })
    .await;
    let attempts = tokio::time::timeout(LIMIT, load).await.expect("every publish ends").unwrap();
    assert_eq!(attempts.len() as u64, EVENTS);
    let (unknown, unsent) = unconfirmed(&attempts);
    assert!(!unknown.is_empty(), "the freeze was longer than three attempts");
    let retried = attempts.iter().filter(|attempt| attempt.result.is_ok() && attempt.took > PUBLISH_TIMEOUT).count();
    assert!(retried > 0, "some were confirmed by an automatic retry");

    let again = async |events: Vec<u64>| -> Vec<Published> {
        let publishes = futures::stream::iter(events).map(|event| publish(running.publisher().clone(), event));
        let attempts: Vec<Attempt> = publishes.buffer_unordered(50).collect().await;
        attempts.into_iter().map(|attempt| attempt.result.expect("the server answers again")).collect()
    };
    let were_stored = again(unknown).await.into_iter().filter(|published| published.duplicate).count();
    assert!(were_stored > 0, "some of those without an answer had been stored: `Unknown` is the right word");
    assert!(again(unsent).await.iter().all(|published| !published.duplicate), "what was not sent was not stored");

    let inspector = Inspector::connect(&server.url()).await;
    eventually("everything is handled", LIMIT, || async {
        inspector.is_settled("test-b5-stream", "b5-sees").await.then_some(())
    })
    .await;
    let all: BTreeSet<u64> = (0..EVENTS).collect();
    let handled = seen.lock().unwrap().clone();
    let observed = Observed { attempted: all.clone(), confirmed: all, handled, ..Observed::default() };
    observed.assert_nothing_lost();
    let stored = inspector.messages("test-b5-stream").await;
    let ids: BTreeSet<&str> =
        stored.iter().filter_map(|message| Some(message.headers.get("Nats-Msg-Id")?.as_str())).collect();
    assert_eq!((stored.len() as u64, ids.len() as u64), (EVENTS, EVENTS), "each event is stored once");
    assert!(running.shutdown().await.is_clean());
}
