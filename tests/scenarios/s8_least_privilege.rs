//! Goal: an application works with exactly what docs/security.md says that it must be allowed, and each of these that is
//! missing is named: by the start, or by the publish that needs it. Method: users of a real server with an allow list;
//! one with all of the list, then one without each of its lines.

use std::time::{Duration, Instant};

use natspubsub::prelude::*;
use natspubsub::{ErrorKind, RunningApp};
use natspubsub_tests::{Inspector, NatsServer, app_config, config, url_of, users};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);
const START_LIMIT: Duration = Duration::from_secs(2);
const JOBS: u32 = 1_000;
const DURABLE: &str = "app-works";
const DOCUMENT: &str = include_str!("../../docs/security.md");

/// The right, the subject, and what it is for.
type Row = (&'static str, &'static str, &'static str);

/// The only row that the start does not need.
const PUBLISHING: &str = "{env}.{app}.>";

/// What a running application needs whose streams and consumers exist.
const RUNNING: [Row; 16] = [
    ("subscribe", "_INBOX.{env}-{app}.>", "every answer"),
    ("publish", PUBLISHING, "publishing"),
    ("publish", "{env}.dlq.{app}.>", "dead letters"),
    ("publish", "$KV.{env}-{app}-releases.>", "records about deliveries: given back, begun, failed"),
    ("publish", "$JS.API.STREAM.PURGE.KV_{env}-{app}-releases", "taking a record back"),
    ("publish", "$JS.API.STREAM.INFO.{env}-{app}-stream", "the start; the last round trip of a shutdown"),
    ("publish", "$JS.API.STREAM.INFO.{env}-{app}-dlq", "the start"),
    ("publish", "$JS.API.STREAM.INFO.{env}-{app}-advisories", "the start"),
    ("publish", "$JS.API.STREAM.INFO.KV_{env}-{app}-releases", "the start; counting attempts"),
    ("publish", "$JS.API.STREAM.MSG.GET.{env}-{app}-stream", "dead letters of what cannot be delivered"),
    ("publish", "$JS.API.CONSUMER.INFO.{env}-{app}-stream.{durable}", "the start; noticing a stall"),
    ("publish", "$JS.API.CONSUMER.MSG.NEXT.{env}-{app}-stream.{durable}", "receiving"),
    ("publish", "$JS.ACK.{env}-{app}-stream.{durable}.>", "acknowledging"),
    ("publish", "$JS.API.CONSUMER.INFO.{env}-{app}-advisories.{app}-sweeper", "as above, of the sweeper"),
    ("publish", "$JS.API.CONSUMER.MSG.NEXT.{env}-{app}-advisories.{app}-sweeper", "as above, of the sweeper"),
    ("publish", "$JS.ACK.{env}-{app}-advisories.{app}-sweeper.>", "as above, of the sweeper"),
];

/// What one needs besides that makes its streams and consumers.
const CREATING: [Row; 7] = [
    ("publish", "$JS.API.STREAM.NAMES", "finding streams that take the same subjects"),
    ("publish", "$JS.API.STREAM.CREATE.{env}-{app}-stream", "creating the stream"),
    ("publish", "$JS.API.STREAM.CREATE.{env}-{app}-dlq", "creating the stream of dead letters"),
    ("publish", "$JS.API.STREAM.CREATE.{env}-{app}-advisories", "creating the stream of advisories"),
    ("publish", "$JS.API.STREAM.CREATE.KV_{env}-{app}-releases", "creating the bucket of records"),
    ("publish", "$JS.API.CONSUMER.CREATE.{env}-{app}-stream.{durable}.>", "creating or changing the consumer"),
    (
        "publish",
        "$JS.API.CONSUMER.CREATE.{env}-{app}-advisories.{app}-sweeper.>",
        "creating the consumer of the sweeper",
    ),
];

/// What a subscriber of another application's topics needs in place of the lines with its durable.
const ELSEWHERE: [Row; 5] = [
    ("publish", "$JS.API.STREAM.INFO.{stream}", "the start; noticing that it was made again"),
    ("publish", "$JS.API.STREAM.MSG.GET.{stream}", "dead letters of what cannot be delivered"),
    ("publish", "$JS.API.CONSUMER.INFO.{stream}.{durable}", "the start; noticing a stall"),
    ("publish", "$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}", "receiving"),
    ("publish", "$JS.ACK.{stream}.{durable}.>", "acknowledging"),
];

#[topic_subscriber("invoice.paid", app = "payments", durable = "app-works", max_attempts = 2, backoff = "20ms")]
async fn pays(cents: u32) -> Result<(), Failure> {
    if cents == 0 { Err(Failure::transient("nothing was paid")) } else { Ok(()) }
}

#[topic_subscriber("job.created", max_attempts = 2, backoff = "20ms")]
async fn works(job: u32, ctx: Context) -> Result<(), Failure> {
    match job {
        500 => Err(Failure::permanent("never works")),
        501 => Err(Failure::transient("does not work yet")),
        _ if job % 100 == 7 && ctx.attempt() == 1 => Err(Failure::transient("not at first")),
        _ => Ok(()),
    }
}

#[topic_subscriber("job.created", max_attempts = 2, durable = "app-works", ack_wait = "45s")]
async fn works_longer(_job: u32) {}

/// The subject of a row for the application `app` of the environment `test`.
fn subject((_, subject, _): &Row) -> String {
    let subject = subject.replace("{env}", "test").replace("{app}", "app").replace("{durable}", DURABLE);
    subject.replace("{stream}", "test-payments-stream")
}

/// The permissions of these rows and of nothing else.
fn only<'a>(rows: impl IntoIterator<Item = &'a Row> + Clone) -> Value {
    let of = |right: &str| rows.clone().into_iter().filter(|row| row.0 == right).map(subject).collect::<Vec<_>>();
    let subscribe = Some(of("subscribe")).filter(|subjects| !subjects.is_empty());
    // An empty list would allow everything.
    let subscribe = subscribe.unwrap_or_else(|| vec!["nothing".to_owned()]);
    json!({ "publish": { "allow": of("publish") }, "subscribe": { "allow": subscribe } })
}

fn without<'a>(rows: &'a [Row], missing: &Row) -> Vec<&'a Row> {
    rows.iter().filter(|row| *row != missing).collect()
}

async fn start(server: &NatsServer) -> Result<RunningApp> {
    App::builder().config(app_config(server, "app")).subscriber(works {}).build().unwrap().start().await
}

/// A server on which the user who may do everything has run the application once.
async fn prepared() -> NatsServer {
    let server = NatsServer::start_with(&users(&Value::Null)).await;
    let app = App::builder().config(config(&url_of(&server, "admin"), "app")).subscriber(works {});
    assert!(app.build().unwrap().start().await.unwrap().shutdown().await.is_clean());
    server
}

/// Starts without what a row allows: the error comes at once and names it, and where it is needed.
async fn refuses_to_start(server: &NatsServer, missing: &Row) {
    let (began, subject) = (Instant::now(), subject(missing));
    let error = start(server).await.expect_err(&subject).to_string();
    assert!(began.elapsed() < START_LIMIT, "{:?} without {subject}: {error}", began.elapsed());
    assert!(error.contains(subject.trim_end_matches('>')), "{subject} is not named: {error}");
    let names_the_place = error.contains("s8_least_privilege.rs:") || error.contains("test-app");
    assert!(names_the_place, "where {subject} is needed is not named: {error}");
    assert!(server.log().contains("Violation"), "the server has refused it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s8_an_application_works_with_what_the_table_allows_and_nothing_else() {
    let mut server = prepared().await;
    server.reload_with(&users(&only(&RUNNING))).await;
    let running = start(&server).await.unwrap();
    let mut batch = running.publisher().batch();
    for job in 0..JOBS {
        batch.add("job.created", &job);
    }
    assert_eq!(batch.publish().await.succeeded, JOBS as usize);
    let jobs = u64::from(JOBS);
    let stats = running.wait_until(|stats| stats.settled() == jobs, LIMIT).await.unwrap();
    assert_eq!((stats.processed, stats.dead_lettered, stats.retried), (jobs - 2, 2, 11), "{stats:?}");
    let report = running.shutdown().await;
    assert!(report.is_clean(), "{report:?}");

    assert!(!server.log().contains("Violation"), "nothing else was asked for");
    let inspector = Inspector::connect_as_admin(&server).await;
    assert!(inspector.is_settled("test-app-stream", DURABLE).await);
    assert_eq!(inspector.messages("test-app-dlq").await.len(), 2);
    let records = inspector.messages("KV_test-app-releases").await;
    assert!(!records.is_empty(), "attempts were recorded");
    assert!(records.iter().all(|record| !record.subject.contains("at_work")), "the shutdown took its record back");
}

#[tokio::test]
async fn s8_each_missing_permission_is_named() {
    let mut server = prepared().await;
    for missing in &RUNNING {
        server.reload_with(&users(&only(without(&RUNNING, missing)))).await;
        if missing.1 != PUBLISHING {
            refuses_to_start(&server, missing).await;
            continue;
        }
        let running = start(&server).await.expect("what only publishing needs, the start does not");
        let error = running.publisher().publish("job.created", &1).await.unwrap_err();
        let denied = ErrorKind::PermissionDenied { subject: "test.app.job.created".to_owned() };
        assert_eq!(error.kind(), &denied, "{error}");
        assert!(running.shutdown().await.is_clean());
    }
}

#[tokio::test]
async fn s8_one_that_creates_streams_and_consumers_needs_the_second_table_too() {
    let all: Vec<Row> = RUNNING.into_iter().chain(CREATING).collect();
    for missing in &CREATING {
        let server = NatsServer::start_with(&users(&only(without(&all, missing)))).await;
        refuses_to_start(&server, missing).await;
    }
    let server = NatsServer::start_with(&users(&only(&all))).await;
    let running = start(&server).await.unwrap();
    running.publisher().publish("job.created", &1).await.unwrap();
    running.wait_until(|stats| stats.processed == 1, LIMIT).await.unwrap();
    assert!(running.shutdown().await.is_clean());
    assert!(!server.log().contains("Violation"), "nothing else was asked for");
}

#[tokio::test]
async fn s8_other_settings_than_the_server_has_need_the_right_to_change_them() {
    let mut server = prepared().await;
    server.reload_with(&users(&only(&RUNNING))).await;
    let shorter = Config::builder().url(url_of(&server, "app")).env("test").app("app");
    let shorter = shorter.stream_max_age(Duration::from_secs(3_600)).build().unwrap();
    let app = App::builder().config(shorter).subscriber(works {}).build().unwrap();
    let error = app.start().await.unwrap_err().to_string();
    assert!(error.contains("$JS.API.STREAM.UPDATE.test-app-stream"), "{error}");
    let app = App::builder().config(app_config(&server, "app")).subscriber(works_longer {}).build().unwrap();
    let error = app.start().await.unwrap_err().to_string();
    assert!(error.contains("$JS.API.CONSUMER.CREATE.test-app-stream.app-works.test.app.job.created"), "{error}");
    assert!(error.contains("s8_least_privilege.rs:"), "{error}");
}

async fn start_elsewhere(server: &NatsServer) -> Result<RunningApp> {
    App::builder().config(app_config(server, "app")).subscriber(pays {}).build().unwrap().start().await
}

#[tokio::test]
async fn s8_a_subscriber_of_another_application_needs_these_and_nothing_else() {
    let mut server = NatsServer::start_with(&users(&Value::Null)).await;
    let payments = Publisher::connect(config(&url_of(&server, "admin"), "payments")).await.unwrap();
    let prepared = App::builder().config(config(&url_of(&server, "admin"), "app")).subscriber(pays {});
    assert!(prepared.build().unwrap().start().await.unwrap().shutdown().await.is_clean());
    let is_of_the_own_stream = |row: &&Row| row.1.contains("{env}-{app}-stream.{durable}");
    let own = RUNNING.iter().filter(|row| !is_of_the_own_stream(row) && row.1 != PUBLISHING);
    let all: Vec<Row> = own.chain(&ELSEWHERE).copied().collect();
    server.reload_with(&users(&only(&all))).await;
    let running = start_elsewhere(&server).await.unwrap();
    for cents in [0, 1] {
        payments.publish("invoice.paid", &cents).await.unwrap();
    }
    let stats = running.wait_until(|stats| stats.settled() == 2, LIMIT).await.unwrap();
    assert_eq!((stats.processed, stats.dead_lettered), (1, 1), "{stats:?}");
    assert!(running.shutdown().await.is_clean());
    assert!(!server.log().contains("Violation"), "nothing else was asked for");
    for missing in &ELSEWHERE {
        server.reload_with(&users(&only(without(&all, missing)))).await;
        let subject = subject(missing);
        let error = start_elsewhere(&server).await.expect_err(&subject).to_string();
        assert!(error.contains(subject.trim_end_matches('>')), "{subject} is not named: {error}");
        assert!(error.contains("s8_least_privilege.rs:"), "where {subject} is needed is not named: {error}");
    }
}

#[test]
fn s8_the_document_has_the_same_tables() {
    for rows in [&RUNNING[..], &CREATING[..], &ELSEWHERE[..]] {
        let lines = rows.iter().map(|(right, subject, purpose)| format!("| {right} | `{subject}` | {purpose} |"));
        let table = format!("|---|---|---|\n{}\n\n", lines.collect::<Vec<_>>().join("\n"));
        assert!(DOCUMENT.contains(&table), "docs/security.md has no such table:\n{table}");
    }
    let rows = DOCUMENT.lines().filter(|line| line.starts_with("| publish") || line.starts_with("| subscribe"));
    assert_eq!(rows.count(), RUNNING.len() + CREATING.len() + ELSEWHERE.len());
}
