//! Goal: a header or a body that breaks a rule does no harm. Headers are refused before a byte is sent; a body that cannot
//! be read, however it was made, becomes a dead letter with the same bytes, costs little memory, and its neighbours are
//! handled as if it were not there. Method: a table of headers on a real server whose own count of what was sent stays as
//! it was; and bodies written by another client, between good ones.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::HeaderMap;
use natspubsub::ErrorKind;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, begin_peak, config, is_alone, peak_resident_kib};
use serde::{Deserialize, Serialize};

const LIMIT: Duration = Duration::from_secs(30);
/// The server's default.
const MAX_PAYLOAD: usize = 1_024 * 1_024;
const GROWTH_MAX_KIB: u64 = 64 * 1_024;
const SUBJECT: &str = "test.s1.order.created";

/// What `/connz` says that the application's connection has sent.
async fn sent(server: &NatsServer) -> (u64, u64) {
    let connections = server.connections().await;
    let own = connections.iter().find(|connection| connection["name"] == "test.s1").expect("it is connected");
    (own["cid"].as_u64().expect("a number"), own["in_bytes"].as_u64().expect("a number"))
}

/// Sets of headers that break a rule.
fn bad_headers() -> Vec<Vec<(String, String)>> {
    let one = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let mut sets: Vec<_> = [
        ("Nats-Rollup", "all"),
        ("nats-rollup", "sub"),
        ("NATS-MSG-ID", "other"),
        ("Nats-Expected-Stream", "x"),
        ("Nats-Published-At", "now"),
        ("Nats-", "x"),
        ("Status", "503"),
        ("status", "100"),
        ("Description", "No Responders"),
        ("", "x"),
        ("a b", "x"),
        ("a:b", "x"),
        ("a\r\nNats-Rollup", "all"),
        ("caf\u{e9}", "x"),
        ("x", "a\r\nNats-Rollup: all"),
        ("x", "a\n"),
        ("x", "a\r"),
        ("x", "a\0b"),
        ("x", &"v".repeat(8 * 1_024 + 1)),
        (&"n".repeat(40 * 1_024), "x"),
    ]
    .iter()
    .map(|(name, value)| one(name, value))
    .collect();
    sets.push((0..65).map(|number| (format!("x-{number}"), String::new())).collect());
    sets.push((0..5).map(|number| (format!("x-{number}"), "v".repeat(8_000))).collect());
    sets
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_no_bad_header_leaves_the_process() {
    let server = NatsServer::start_with("http: \"127.0.0.1:-1\"").await;
    let publisher = Publisher::connect(config(&server.url(), "s1")).await.unwrap();
    let inspector = Inspector::connect(&server.url()).await;
    let before = sent(&server).await;
    for headers in bad_headers() {
        let raw = publisher.subject(SUBJECT);
        let with = |message| {
            headers
                .iter()
                .fold(message, |message: natspubsub::MessageBuilder<'_, _>, (name, value)| message.header(name, value))
        };
        let shown = &format!("{headers:.60?}")[..];
        let error = with(publisher.message(&1).topic("order.created")).publish().await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidHeader, "{shown}: {error}");
        let error = with(raw.message(&1)).publish().await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidHeader, "{shown}: {error}");
        let message = with(publisher.message(&1).topic("order.created"));
        let report = publisher.batch().add_message(message).publish().await;
        assert_eq!(report.results[0].error().map(natspubsub::Error::kind), Some(&ErrorKind::InvalidHeader), "{shown}");
    }
    for id in ["", "a b", "a\r\nNats-Rollup: all", "a/b", "a\0", "é", "*", &"x".repeat(129)] {
        let error = publisher.message(&1).topic("order.created").event_id(id).publish().await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidHeader, "{id:?}: {error}");
    }
    assert_eq!(sent(&server).await, before, "not a byte more, on the same connection");

    // What is just allowed arrives as it is.
    let mut message = publisher.message(&1).topic("order.created").event_id("x".repeat(128));
    message = message.header("x-large", "v".repeat(8 * 1_024)).header("x-text", "gr\u{fc}n \u{4e2d}");
    message = (0..62).fold(message, |message, number| message.header(format!("x-{number}"), "1"));
    message.publish().await.unwrap();
    let stored = inspector.messages("test-s1-stream").await;
    assert_eq!(stored.len(), 1, "the bad ones are not there");
    let value = |name: &str| stored[0].headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default();
    assert_eq!((value("x-large").len(), value("x-text")), (8 * 1_024, "gr\u{fc}n \u{4e2d}".to_owned()));
}

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    number: u64,
}

/// The messages that reached the handler, with the ids that it saw.
type Seen = Arc<Mutex<Vec<(u64, String)>>>;

#[topic_subscriber("order.created")]
async fn takes(order: Order, context: Context, State(seen): State<Seen>) {
    seen.lock().unwrap().push((order.number, context.event_id().to_owned()));
}

/// One gzip member.
fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

/// 1,000 MiB of one byte behind `head` and before `tail`, in less than 1 MiB: one member for each 8 MiB.
fn bomb(head: &[u8], filler: u8, tail: &[u8]) -> Vec<u8> {
    let bomb = [gzip(head), gzip(&vec![filler; 8 * 1_024 * 1_024]).repeat(125), gzip(tail)].concat();
    assert!(bomb.len() < MAX_PAYLOAD, "{} bytes fit into a message", bomb.len());
    bomb
}

fn nested(depth: usize) -> String {
    // The envelope is one level.
    format!(r#"{{"x":{}{},"message":{{"number":1}}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1))
}

/// Bodies that cannot be read, and why.
fn bad_bodies() -> Vec<(Vec<u8>, &'static str)> {
    let good = br#"{"message":{"number":1}}"#;
    let packed = gzip(good);
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        (bomb(b"", 0, b""), "more than the limit"),
        // Without a limit this would be a message like any other.
        (bomb(br#"{"message":{"number":1}"#, b' ', b"}"), "more than the limit"),
        (packed[..packed.len() - 9].to_vec(), "cannot be inflated"),
        ([&packed[..], b"more"].concat(), "cannot be inflated"),
        (text(&nested(65)), "deeper than 64"),
        (text(&"[".repeat(200_000)), "deeper than 64"),
        (text(r#"{"message":{"number":1},"message":{"number":2}}"#), "duplicate field `message`"),
        (text(r#"{"event_id":"a","event_id":"b","message":{"number":1}}"#), "duplicate field `event_id`"),
        (text(r#"{"metadata":{},"message":{"number":1},"metadata":{}}"#), "duplicate field `metadata`"),
        (text("\u{feff}{\"message\":{\"number\":1}}"), "no envelope"),
        (text(r#"{"message":{"number":18446744073709551616}}"#), "floating point"),
        (text(r#"{"message":{"number":1.0}}"#), "floating point"),
        (text(r#"{"event_id":"","message":{"number":1}}"#), "event id"),
        (text(r#"{"event_id":"a b","message":{"number":1}}"#), "event id"),
        (text(r#"{"event_id":"a\r\nNats-Rollup: all","message":{"number":1}}"#), "event id"),
        (text(&format!(r#"{{"event_id":"{}","message":{{"number":1}}}}"#, "x".repeat(129))), "event id"),
        (b"{\"message\":{\"number\":1},\"x\":\"\xff\"}".to_vec(), "not UTF-8"),
        (Vec::new(), "no envelope"),
    ]
}

/// Bodies that look alike and are good: the number that the handler gets and the id that it sees.
fn good_bodies() -> Vec<(Vec<u8>, HeaderMap, u64, String)> {
    let with_id = |id: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", id);
        headers
    };
    let body = |number: u64| format!(r#"{{"message":{{"number":{number}}}}}"#).into_bytes();
    let mut deep = nested(64).into_bytes();
    deep.truncate(deep.len() - 3);
    deep.extend_from_slice(b"3}}");
    let large = (1 << 53) + 1;
    vec![
        (body(large), HeaderMap::new(), large, String::new()),
        (body(u64::MAX), with_id("order-1"), u64::MAX, "order-1".to_owned()),
        (deep, HeaderMap::new(), 3, String::new()),
        (gzip(&body(4)), HeaderMap::new(), 4, String::new()),
        // An id of another program that could be no key: the place in the stream is the id.
        (body(5), with_id("order 5 / \u{e9}"), 5, String::new()),
        (body(6), with_id(&"x".repeat(4_000)), 6, String::new()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_bad_bodies_become_dead_letters_and_harm_nobody() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let (seen, bad, good) = (Seen::default(), bad_bodies(), good_bodies());
    let app = App::builder().config(config(&server.url(), "s1")).state(seen.clone()).subscriber(takes {});
    let running = app.build().unwrap().start().await.unwrap();
    let begun = begin_peak();
    let mut wanted = Vec::new();
    for index in 0..bad.len().max(good.len()) {
        if let Some((body, _)) = bad.get(index) {
            inspector.jetstream.publish(SUBJECT, body.clone().into()).await.unwrap().await.unwrap();
        }
        if let Some((body, headers, number, id)) = good.get(index) {
            let publishing =
                inspector.jetstream.publish_with_headers(SUBJECT, headers.clone(), body.clone().into()).await;
            let sequence = publishing.unwrap().await.unwrap().sequence;
            let place = format!("test-s1-stream:{sequence}");
            wanted.push((*number, if id.is_empty() { place } else { id.clone() }));
        }
    }
    let (bad_count, good_count) = (bad.len() as u64, good.len() as u64);
    let stats = running.wait_until(|stats| stats.settled() == bad_count + good_count, LIMIT).await.unwrap();
    assert_eq!((stats.processed, stats.dead_lettered, stats.retried), (good_count, bad_count, 0), "{stats:?}");
    let growth = peak_resident_kib().saturating_sub(begun);
    assert!(growth < GROWTH_MAX_KIB || !is_alone(), "memory grew by {growth} KiB");
    assert!(running.shutdown().await.is_clean());

    let mut seen = seen.lock().unwrap().clone();
    seen.sort();
    wanted.sort();
    assert_eq!(seen, wanted, "every digit of the good ones, and ids that can be keys");
    let letters = inspector.messages("test-s1-dlq").await;
    let letters: BTreeMap<&[u8], &HeaderMap> = letters.iter().map(|one| (&one.payload[..], &one.headers)).collect();
    for (body, reason) in &bad {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
        let headers = letters.get(&body[..]).unwrap_or_else(|| panic!("{shown} is not there with its bytes"));
        let header = |name: &str| headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default();
        assert_eq!(header("x-dlq-reason"), "undecodable", "{shown}");
        assert!(header("x-dlq-error").contains(reason), "{shown}: {}", header("x-dlq-error"));
    }
}

/// No room is kept free for the story of a dead letter: what is as large as the server takes leaves its body where it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_a_bad_body_as_large_as_the_server_takes_has_a_dead_letter() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let app = App::builder().config(config(&server.url(), "s1")).state(Seen::default()).subscriber(takes {});
    let running = app.build().unwrap().start().await.unwrap();
    // The largest bodies that leave room for the story, for the story without its error, and none at all.
    let sizes = [MAX_PAYLOAD - 4 * 1_024, MAX_PAYLOAD - 600, MAX_PAYLOAD];
    for size in sizes {
        inspector.jetstream.publish(SUBJECT, vec![b'x'; size].into()).await.unwrap().await.unwrap();
    }
    let wanted = sizes.len() as u64;
    let stats = running.wait_until(|stats| stats.dead_lettered == wanted, LIMIT).await.unwrap();
    assert_eq!((stats.retried, stats.unstored), (0, 0), "{stats:?}");
    assert!(running.shutdown().await.is_clean());
    let letters = inspector.messages("test-s1-dlq").await;
    let told: Vec<(usize, String, String)> = letters
        .iter()
        .map(|letter| {
            let header = |name: &str| letter.headers.get(name).map(|value| value.to_string()).unwrap_or_default();
            (letter.payload.len(), header("x-dlq-body-omitted"), header("x-original-sequence"))
        })
        .collect();
    let whole = |size: usize, sequence: &str| (size, String::new(), sequence.to_owned());
    let referred = (0, MAX_PAYLOAD.to_string(), "3".to_owned());
    let mut told = told;
    told.sort_by(|one, two| one.2.cmp(&two.2));
    assert_eq!(told, [whole(sizes[0], "1"), whole(sizes[1], "2"), referred]);
}
