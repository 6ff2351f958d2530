//! Goal: a raw subject is published as it stands: stored in the stream that takes it, or handed to whoever listens now;
//! a request has its reply, or says at once or in time why it has none. Method: streams, listeners and responders of
//! plain async-nats.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_nats::{HeaderMap, jetstream};
use futures::StreamExt;
use natspubsub::__port::Port;
use natspubsub::prelude::*;
use natspubsub::{Encode, ErrorKind, WireHeaders};
use natspubsub_tests::{Inspector, NatsServer, config, unique};
use serde::{Deserialize, Serialize};

const PUBLISH_TIMEOUT: Duration = Duration::from_secs(2);

/// What an answer may be late by on a busy machine.
const SLACK: Duration = Duration::from_secs(1);

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(subject = "match.found", id = "match-{rider}")]
struct MatchFound {
    rider: u32,
}

async fn publisher(url: &str) -> Publisher {
    let config = Config::builder().url(url).env("test").app("raw").publish_timeout(PUBLISH_TIMEOUT);
    Publisher::connect(config.build().unwrap()).await.unwrap()
}

async fn make_stream(inspector: &Inspector) {
    let config = jetstream::stream::Config {
        name: "MATCHES".into(),
        subjects: vec!["match.>".into()],
        duplicate_window: Duration::from_secs(60),
        ..jetstream::stream::Config::default()
    };
    inspector.jetstream.create_stream(config).await.unwrap();
}

#[tokio::test]
async fn a_raw_subject_is_stored_in_the_stream_that_takes_it() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let publisher = publisher(&server.url()).await;
    make_stream(&inspector).await;
    let sent = publisher.subject("match.found").send(&MatchFound { rider: 7 }).await.unwrap();
    assert_eq!((sent.stream.as_str(), sent.subject.as_str(), sent.sequence), ("MATCHES", "match.found", 1));
    let typed = publisher.send(&MatchFound { rider: 8 }).await.unwrap();
    assert_eq!((typed.stream.as_str(), typed.subject.as_str()), ("MATCHES", "match.found"));
    assert_eq!((typed.event_id.as_str(), typed.sequence), ("match-8", 2));
    assert!(publisher.send(&MatchFound { rider: 8 }).await.unwrap().duplicate);
    let built = publisher.subject("match.Lost").message("Ann").event_id("lost-1").header("x-a", "b").publish().await;
    assert_eq!(built.unwrap().sequence, 3, "a raw subject keeps its case");
    let mut batch = publisher.batch();
    batch.add("user.created", "Ann").add_message(publisher.subject("match.found").message("Bob"));
    let report = batch.publish().await;
    let streams: Vec<&str> =
        report.results.iter().map(|result| result.result.as_ref().unwrap().stream.as_str()).collect();
    assert_eq!(streams, ["test-raw-stream", "MATCHES"]);

    let stored = inspector.messages("MATCHES").await;
    let envelope = |at: usize| -> serde_json::Value { serde_json::from_slice(&stored[at].payload).unwrap() };
    assert_eq!(
        (&envelope(0)["message"], &envelope(0)["producer"]),
        (&serde_json::json!({ "rider": 7 }), &"raw".into())
    );
    assert_eq!(envelope(0)["topic"], "match.found");
    assert_eq!((&envelope(1)["event_id"], &envelope(1)["message_type"]), (&"match-8".into(), &"MatchFound".into()));
    assert_eq!(stored[2].headers.get("x-a").unwrap().as_str(), "b");
    assert_eq!(stored[2].subject.as_str(), "match.Lost");
}

#[tokio::test]
async fn a_lifetime_on_a_raw_subject_changes_no_stream() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let publisher = publisher(&server.url()).await;
    make_stream(&inspector).await;
    let subject = publisher.subject("match.found");
    let refused = subject.message("Ann").ttl(Duration::from_secs(60)).publish().await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Rejected, "{refused}");
    let delayed = subject.message("Ann").delay(Duration::from_secs(60)).publish().await.unwrap_err();
    assert_eq!(delayed.kind(), &ErrorKind::InvalidSubject, "{delayed}");
    for stream in ["MATCHES", "test-raw-stream"] {
        let mut stream = inspector.jetstream.get_stream(stream).await.unwrap();
        let info = stream.info().await.unwrap();
        assert!(!info.config.allow_message_ttl && info.state.messages == 0, "{info:?}");
    }
}

async fn a_subject_that_nobody_stores_is_refused_in_time(url: &str) {
    let publisher = publisher(url).await;
    let began = Instant::now();
    let refused = publisher.subject("nowhere.at.all").send("Ann").await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Rejected, "{refused}");
    assert!(refused.to_string().contains("no stream takes this subject"), "{refused}");
    assert!(began.elapsed() < PUBLISH_TIMEOUT, "{:?}", began.elapsed());
    for wrong in ["match.*", "match..found", "", "match.>", "a b"] {
        let refused = publisher.subject(wrong).send("Ann").await.unwrap_err();
        assert_eq!(refused.kind(), &ErrorKind::InvalidSubject, "{wrong:?}: {refused}");
        let refused = publisher.subject(wrong).send_core("Ann").await.unwrap_err();
        assert_eq!(refused.kind(), &ErrorKind::InvalidSubject, "{wrong:?}: {refused}");
        let refused = publisher.request::<_, String>(wrong, "Ann").await.unwrap_err();
        assert_eq!(refused.kind(), &ErrorKind::InvalidSubject, "{wrong:?}: {refused}");
    }
}

#[tokio::test]
async fn on_memory_a_subject_that_nobody_stores_is_refused_in_time() {
    a_subject_that_nobody_stores_is_refused_in_time(&format!("memory:{}", unique("raw"))).await;
}

#[tokio::test]
async fn on_nats_a_subject_that_nobody_stores_is_refused_in_time() {
    let server = NatsServer::start().await;
    a_subject_that_nobody_stores_is_refused_in_time(&server.url()).await;
}

#[tokio::test]
async fn what_is_not_stored_reaches_whoever_listens_now() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let publisher = publisher(&server.url()).await;
    let mut listener = inspector.client.subscribe("chat.>").await.unwrap();
    inspector.round_trip().await;
    for chunk in ["Once", "upon"] {
        publisher.subject("chat.pod.response").send_core(chunk).await.unwrap();
    }
    for chunk in ["Once", "upon"] {
        let message = listener.next().await.unwrap();
        let envelope: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
        assert_eq!((message.subject.as_str(), &envelope["message"]), ("chat.pod.response", &chunk.into()));
        let headers = message.headers.unwrap_or_default();
        assert!(headers.get("Nats-Msg-Id").is_none(), "nobody looks for duplicates: {headers:?}");
    }
    let large = publisher.subject("chat.pod.response").send_core(&"x".repeat(2 << 20)).await.unwrap_err();
    assert!(matches!(large.kind(), ErrorKind::PayloadTooLarge { .. }), "{large}");
}

/// A value that can be written once.
struct Once(AtomicU32);

impl Encode for Once {
    const CONTENT_TYPE: Option<&'static str> = None;

    fn encode(&self, into: &mut Vec<u8>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        into.extend_from_slice(b"1");
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(()),
            again => Err(format!("written {} times", again + 1).into()),
        }
    }
}

/// Whatever hinders it, and however many there are: some have to wait for room.
async fn a_value_that_nobody_stores_is_written_once(url: &str) {
    let publisher = publisher(url).await;
    let subject = publisher.subject("chat.pod.response").envelope(false);
    for _ in 0..2_000 {
        subject.send_core(&Once(AtomicU32::new(0))).await.unwrap();
    }
    let twice = subject.send_core(&Once(AtomicU32::new(1))).await.unwrap_err();
    assert_eq!((twice.kind(), twice.to_string().contains("Once")), (&ErrorKind::Encode, true), "{twice}");
    let large = subject.send_core(&Raw(vec![0; 64 << 20].into())).await.unwrap_err();
    assert!(matches!(large.kind(), ErrorKind::PayloadTooLarge { .. }), "{large}");
}

#[tokio::test]
async fn on_memory_a_value_that_nobody_stores_is_written_once() {
    a_value_that_nobody_stores_is_written_once(&format!("memory:{}", unique("once"))).await;
}

#[tokio::test]
async fn on_nats_a_value_that_nobody_stores_is_written_once() {
    a_value_that_nobody_stores_is_written_once(&NatsServer::start().await.url()).await;
}

#[subject_subscriber("ask.bare", transport = "core")]
async fn passes_on(_number: u32, publisher: Publisher) -> Result<()> {
    publisher.subject("bare.caused").envelope(false).send_core("x").await
}

/// What settings and causes add comes with a value without an envelope, too.
#[tokio::test]
async fn a_bare_value_has_what_belongs_to_it() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let mut listener = inspector.client.subscribe("bare.>").await.unwrap();
    inspector.round_trip().await;
    let settings = || Config::builder().url(server.url()).env("test").app("bare");
    let full = settings().wire_headers(WireHeaders::Full);
    for (config, header) in
        [(full, Some("topic")), (settings().compress_above(64), Some("Content-Encoding")), (settings(), None)]
    {
        let publisher = Publisher::connect(config.build().unwrap()).await.unwrap();
        publisher.subject("bare.set").envelope(false).send_core(&"x".repeat(1_000)).await.unwrap();
        let headers = listener.next().await.unwrap().headers.unwrap_or_default();
        match header {
            Some(header) => assert!(headers.get(header).is_some(), "{header}: {headers:?}"),
            None => assert!(headers.is_empty(), "{headers:?}"),
        }
    }
    let running = App::builder()
        .config(settings().build().unwrap())
        .subscriber(passes_on {})
        .build()
        .unwrap()
        .start()
        .await
        .unwrap();
    running.publisher().subject("ask.bare").send_core(&7).await.unwrap();
    let headers = listener.next().await.unwrap().headers.unwrap_or_default();
    assert!(headers.get("x-correlation-id").is_some(), "{headers:?}");
    assert!(running.shutdown().await.is_clean());
}

/// Below the grammar of the publisher: names and replies of others come here, too.
#[tokio::test]
async fn what_is_more_than_a_subject_never_reaches_the_wire() {
    let server = NatsServer::start().await;
    let (port, other) = (Port::connect(&server.url()).await.unwrap(), Inspector::connect(&server.url()).await);
    let mut listener = other.client.subscribe("hidden.>").await.unwrap();
    other.round_trip().await;
    for subject in ["", "a hidden.b", "hidden.a\tb", "a 0\r\n\r\nPUB hidden.b 0\r\n\r\n", "hidden.a\n", " hidden.a"] {
        let atomic = [(subject, &[][..]), (subject, &[][..])];
        let refused = [
            port.publish(subject, &[], b"1").await.is_err(),
            port.publish_core(subject, &[], b"1").await.is_err(),
            port.publish_core(subject, &[("a", "b")], b"1").await.is_err(),
            port.request(subject, b"1", SLACK).await.is_err(),
            port.request_many(subject, b"1").await.is_err(),
            port.publish_atomic("batch", &atomic).await.is_err(),
        ];
        assert_eq!(refused, [true; 6], "{subject:?}");
    }
    port.publish_core("hidden.c", &[], b"2").await.unwrap();
    let first = listener.next().await.unwrap();
    assert_eq!((first.subject.as_str(), &first.payload[..]), ("hidden.c", &b"2"[..]));
}

/// Doubles numbers; refuses zero; answers one with what is no number, and two never.
async fn respond(inspector: &Inspector) {
    let client = inspector.client.clone();
    let mut requests = client.subscribe("math.double").await.unwrap();
    inspector.round_trip().await;
    tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            let (Some(reply), Ok(number)) = (request.reply, serde_json::from_slice::<u64>(&request.payload)) else {
                continue;
            };
            let sent = match number {
                0 => {
                    let mut headers = HeaderMap::new();
                    headers.insert("Nats-Service-Error", "zero stays zero");
                    headers.insert("Nats-Service-Error-Code", "422");
                    client.publish_with_headers(reply, headers, "".into()).await
                }
                1 => client.publish(reply, "\"two\"".into()).await,
                2 => continue,
                _ => client.publish(reply, (2 * number).to_string().into()).await,
            };
            sent.unwrap();
        }
    });
}

#[tokio::test]
async fn a_request_has_the_reply_of_whoever_answers() {
    let server = NatsServer::start().await;
    let publisher = publisher(&server.url()).await;
    respond(&Inspector::connect(&server.url()).await).await;
    let double = async |number: u64| publisher.request::<_, u64>("math.double", &number).await;
    assert_eq!(double(21).await.unwrap(), 42);
    let numbers = 3..500_u64;
    let doubled = futures::future::join_all(numbers.clone().map(double)).await;
    let doubled: Vec<u64> = doubled.into_iter().map(Result::unwrap).collect();
    assert!(doubled.into_iter().eq(numbers.map(|number| 2 * number)), "each request has its own reply");

    let refused = double(0).await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Responder { code: Some(422) }, "{refused}");
    assert!(refused.to_string().contains("422") && refused.to_string().contains("zero stays zero"), "{refused}");
    let other = double(1).await.unwrap_err();
    assert_eq!(other.kind(), &ErrorKind::Server, "{other}");
    assert!(other.to_string().contains("u64"), "{other}");
    let began = Instant::now();
    let late = double(2).await.unwrap_err();
    assert_eq!(late.kind(), &ErrorKind::Timeout, "{late}");
    let took = began.elapsed();
    assert!(took >= PUBLISH_TIMEOUT && took < PUBLISH_TIMEOUT + SLACK, "{took:?}");
}

async fn a_request_that_nobody_answers_fails_at_once(url: &str) {
    let publisher = Publisher::connect(config(url, "raw")).await.unwrap();
    let began = Instant::now();
    let nobody = publisher.request::<_, u64>("math.double", &21).await.unwrap_err();
    assert_eq!(nobody.kind(), &ErrorKind::NoResponders, "{nobody}");
    assert!(began.elapsed() < SLACK, "{:?}", began.elapsed());
}

#[tokio::test]
async fn on_memory_a_request_that_nobody_answers_fails_at_once() {
    a_request_that_nobody_answers_fails_at_once(&format!("memory:{}", unique("raw"))).await;
}

#[tokio::test]
async fn on_nats_a_request_that_nobody_answers_fails_at_once() {
    let server = NatsServer::start().await;
    a_request_that_nobody_answers_fails_at_once(&server.url()).await;
}
