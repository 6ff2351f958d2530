//! Goal: what happens to streams and messages of others while an application reads them stalls nobody unseen. Method:
//! streams that are deleted and made again on a real server, and messages of other programs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::jetstream;
use natspubsub::prelude::*;
use natspubsub::{AppBuilder, HealthStatus, RunningApp};
use natspubsub_tests::{Inspector, NatsServer, eventually};

const LIMIT: Duration = Duration::from_secs(30);

type Log = Arc<Mutex<Vec<String>>>;

#[subject_subscriber("trip.{city}.ended", max_attempts = 2, backoff = "20ms")]
async fn on_ended(trip: u32, city: String, State(log): State<Log>) {
    log.lock().unwrap().push(format!("{city} {trip}"));
}

#[subject_subscriber("trip.*.plain", envelope = false, max_attempts = 1)]
async fn on_plain(trip: u32, ctx: Context, State(log): State<Log>) -> Result<(), Failure> {
    log.lock().unwrap().push(format!("{trip} {} {:?}", ctx.event_id(), ctx.headers().get("x-consumer")));
    if trip == 13 { Err(Failure::permanent("unlucky")) } else { Ok(()) }
}

#[subject_subscriber("trip.*.late", wait_for_stream = "60s")]
async fn on_late(_trip: u32) {}

fn app(url: &str, log: &Log) -> AppBuilder {
    let config = Config::builder().url(url).env("test").app("trips").build().unwrap();
    App::builder().config(config).state(log.clone())
}

async fn start(builder: AppBuilder) -> RunningApp {
    natspubsub_tests::record_logs();
    builder.build().unwrap().start().await.unwrap()
}

async fn make(inspector: &Inspector, name: &str, subjects: &[&str]) {
    let subjects = subjects.iter().map(|subject| (*subject).to_owned()).collect();
    let config = jetstream::stream::Config { name: name.into(), subjects, ..jetstream::stream::Config::default() };
    inspector.jetstream.create_stream(config).await.unwrap();
}

#[tokio::test]
async fn a_stream_of_somebody_else_that_is_made_again_is_read_again() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    make(&inspector, "TRIPS", &["trip.>"]).await;
    let log = Log::default();
    let running = start(app(&server.url(), &log).subscriber(on_ended {})).await;
    let publisher = running.publisher();
    for round in 1..=3_u32 {
        publisher.subject("trip.Rome.ended").send(&round).await.unwrap();
        running.wait_until(|stats| stats.processed == u64::from(round), LIMIT).await.unwrap();
        inspector.jetstream.delete_stream("TRIPS").await.unwrap();
        if round > 1 {
            eventually("it is not well without its stream", LIMIT, || async {
                (running.health().status == HealthStatus::Unhealthy).then_some(())
            })
            .await;
        }
        make(&inspector, "TRIPS", &["trip.>"]).await;
    }
    publisher.subject("trip.Rome.ended").send(&4_u32).await.unwrap();
    running.wait_until(|stats| stats.processed == 4, LIMIT).await.unwrap();
    eventually("it is well again", LIMIT, || async {
        (running.health().status == HealthStatus::Healthy).then_some(())
    })
    .await;
    assert!(running.shutdown().await.is_clean());
    assert_eq!(*log.lock().unwrap(), ["Rome 1", "Rome 2", "Rome 3", "Rome 4"]);
}

#[tokio::test]
async fn headers_of_other_programs_are_theirs() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    make(&inspector, "TRIPS", &["trip.>"]).await;
    let log = Log::default();
    let running = start(app(&server.url(), &log).subscriber(on_plain {})).await;
    for (trip, id) in [("1", "trip 1/7"), ("13", "trip-13")] {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("x-event-id", id);
        headers.insert("x-consumer", "tablet");
        let sent = inspector.jetstream.publish_with_headers("trip.Rome.plain", headers, trip.into());
        sent.await.unwrap().await.unwrap();
    }
    let stats = running.wait_until(|stats| stats.settled() == 2, LIMIT).await.unwrap();
    assert_eq!((stats.processed, stats.dead_lettered), (1, 1), "{stats:?}");
    assert_eq!(running.publisher().dead_letters().replay_all().await.unwrap(), 1);
    running.wait_until(|stats| stats.dead_lettered == 2, LIMIT).await.unwrap();
    running.shutdown().await;
    let log = log.lock().unwrap().clone();
    assert_eq!(log[0], "1 TRIPS:1 Some(\"tablet\")");
    assert_eq!(log[1], "13 trip-13 Some(\"tablet\")");
    assert!(log[2].starts_with("13 trip-13 "), "{log:?}");
}

/// In a process of its own, as nextest runs it: the signal is for this process.
#[tokio::test]
async fn a_signal_ends_a_start_that_waits() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let waiting = tokio::spawn(app(&server.url(), &Log::default()).subscriber(on_late {}).build().unwrap().run());
    eventually("it waits", LIMIT, || async {
        inspector.stream_names().await.contains(&"test-trips-stream".to_owned()).then_some(())
    })
    .await;
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).unwrap();
    let began = std::time::Instant::now();
    let ended = tokio::time::timeout(LIMIT, waiting).await.expect("it ends").unwrap();
    assert!(ended.is_ok(), "{ended:?}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
