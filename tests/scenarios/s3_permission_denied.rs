//! Goal: what the account may not do is told at once, with its subject, and never as a time-out: a publish, a message of
//! a batch, a request, the start. Method: users of a real server who lack one permission each; every publish has a
//! second, where a time-out would take five.

use std::time::{Duration, Instant};

use natspubsub::prelude::*;
use natspubsub::{Error, ErrorKind};
use natspubsub_tests::{Inspector, NatsServer, app_config, url_of, users};
use serde_json::json;

const PUBLISH_LIMIT: Duration = Duration::from_secs(1);
const START_LIMIT: Duration = Duration::from_secs(2);
const STREAM: &str = "test-s3-stream";

#[topic_subscriber("job.created")]
async fn works(_job: u32) {}

/// Runs something that must be refused in time, and checks that the error names a subject that begins so.
async fn refused<T: std::fmt::Debug>(limit: Duration, subject: &str, work: impl Future<Output = Result<T>>) -> Error {
    let began = Instant::now();
    let error = work.await.expect_err(subject);
    assert!(began.elapsed() < limit, "{:?} for {error}", began.elapsed());
    assert!(error.to_string().contains(subject), "{subject} is not named: {error}");
    error
}

fn names(error: &Error, subject: &str) {
    assert_eq!(error.kind(), &ErrorKind::PermissionDenied { subject: subject.to_owned() }, "{error}");
}

/// A server that refuses three subjects, with the streams of the application.
async fn server_with_secrets() -> (NatsServer, Publisher) {
    let denied = json!({ "publish": { "deny": ["test.s3.secret.>", "other.secret", "other.secret.question"] } });
    let server = NatsServer::start_with(&users(&denied)).await;
    let app = App::builder().config(app_config(&server, "s3")).publish_only().build().unwrap();
    app.start().await.unwrap().shutdown().await;
    let publisher = Publisher::connect(app_config(&server, "s3")).await.unwrap();
    (server, publisher)
}

async fn stored(server: &NatsServer) -> usize {
    Inspector::connect_as_admin(server).await.messages(STREAM).await.len()
}

#[tokio::test]
async fn s3_a_denied_publish_names_its_subject_within_a_second() {
    let (server, publisher) = server_with_secrets().await;
    let topic = publisher.publish("secret.told", "x");
    names(&refused(PUBLISH_LIMIT, "test.s3.secret.told", topic).await, "test.s3.secret.told");
    let raw = publisher.subject("other.secret");
    names(&refused(PUBLISH_LIMIT, "other.secret", raw.send("x")).await, "other.secret");
    let question = publisher.request::<_, String>("other.secret.question", "x");
    names(&refused(PUBLISH_LIMIT, "other.secret.question", question).await, "other.secret.question");

    publisher.publish("job.created", &1).await.expect("the connection still works");
    assert_eq!(stored(&server).await, 1, "of what was denied, nothing is stored");
    assert_eq!(server.log().matches("Publish Violation").count(), 3, "each was refused once, and not tried again");
}

#[tokio::test]
async fn s3_of_a_batch_only_the_denied_messages_fail() {
    let (server, publisher) = server_with_secrets().await;
    let mut batch = publisher.batch();
    for number in 0..100_u32 {
        batch.add(if number % 10 == 3 { format!("secret.told.{number}") } else { "job.created".to_owned() }, &number);
    }
    let report = batch.publish().await;
    assert_eq!((report.succeeded, report.failed), (90, 10), "{report:?}");
    assert!(report.duration < PUBLISH_LIMIT, "{:?}", report.duration);
    for (number, result) in report.results.iter().enumerate() {
        match &result.result {
            Ok(_) => assert_ne!(number % 10, 3),
            Err(error) => names(error, &format!("test.s3.secret.told.{number}")),
        }
    }
    let several = publisher.publish_to(["job.created", "secret.told"], "x").await;
    let failed: Vec<_> = several.results.iter().filter_map(|result| result.result.as_ref().err()).collect();
    assert_eq!(failed.len(), 1, "{several:?}");
    names(failed[0], "test.s3.secret.told");
    assert_eq!(stored(&server).await, 91);
}

#[tokio::test]
async fn s3_of_an_atomic_batch_with_a_denied_message_nothing_is_stored() {
    let (server, publisher) = server_with_secrets().await;
    for topics in [["secret.a", "job.created", "job.created"], ["job.created", "secret.b", "job.created"]] {
        let mut batch = publisher.batch();
        for topic in topics {
            batch.add(topic, "x");
        }
        let began = Instant::now();
        batch.atomic().publish().await.expect_err("one of the messages is denied");
        assert!(began.elapsed() < PUBLISH_LIMIT, "{topics:?}: {:?}", began.elapsed());
    }
    assert_eq!(stored(&server).await, 0);
}

/// Starts the application at a server that denies these subjects.
async fn start_at(permissions: serde_json::Value, subject: &str) -> Error {
    let server = NatsServer::start_with(&users(&permissions)).await;
    let app = App::builder().config(app_config(&server, "s3")).subscriber(works {}).build().unwrap();
    refused(START_LIMIT, subject, app.start()).await
}

#[tokio::test]
async fn s3_a_start_without_the_jetstream_api_names_what_is_missing() {
    for subject in [
        format!("$JS.API.STREAM.INFO.{STREAM}"),
        format!("$JS.API.STREAM.CREATE.{STREAM}"),
        format!("$JS.API.CONSUMER.CREATE.{STREAM}.s3-works.test.s3.job.created"),
        format!("$JS.API.CONSUMER.MSG.NEXT.{STREAM}.s3-works"),
        format!("$JS.ACK.{STREAM}.s3-works.>"),
        "test.dlq.s3.s3-works.x".to_owned(),
    ] {
        start_at(json!({ "publish": { "deny": [subject] } }), subject.trim_end_matches('>')).await;
    }
    start_at(json!({ "publish": { "deny": ["$JS.API.>"] } }), "$JS.API.STREAM.").await;
}

#[tokio::test]
async fn s3_a_start_that_cannot_hear_replies_names_the_inbox() {
    let permissions = json!({ "subscribe": { "allow": ["_INBOX.elsewhere.>"] } });
    let error = start_at(permissions.clone(), "_INBOX.test-s3.").await;
    assert!(
        matches!(error.kind(), ErrorKind::PermissionDenied { subject } if subject.starts_with("_INBOX.test-s3.")),
        "{error:?}"
    );

    let server = NatsServer::start_with(&users(&permissions)).await;
    refused(START_LIMIT, "_INBOX.test-s3.", Publisher::connect(app_config(&server, "s3"))).await;
    let config = Config::builder().url(url_of(&server, "app")).env("test").app("s3").inbox_prefix("_INBOX.elsewhere");
    let app = App::builder().config(config.build().unwrap()).subscriber(works {}).build().unwrap();
    let running = app.start().await.expect("the inbox that is allowed");
    running.publisher().publish("job.created", &1).await.unwrap();
    running.wait_until(|stats| stats.processed == 1, START_LIMIT).await.unwrap();
    assert!(running.shutdown().await.is_clean());
}
