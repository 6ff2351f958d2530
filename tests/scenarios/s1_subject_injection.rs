//! Goal: a value of a user never changes where a message goes. Every subject that breaks a rule is refused by every way in
//! before a byte is sent, and the shared connection stays up; `encode_token` takes any value as one token.
//! Method: the whole table of bad subjects through each method; the server's own count of what the connection sent (its
//! `/connz`) stays as it was, the connection keeps its number, and a good publish works afterwards.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::{ErrorKind, check_topic, decode_token, encode_token};
use natspubsub_tests::{Inspector, NatsServer, config};
use serde::Serialize;

const LIMIT: Duration = Duration::from_secs(20);
const STREAM: &str = "test-s1-stream";

/// Subjects and topics that break a rule. The client and the server would take most of them as they are.
fn bad_subjects() -> Vec<String> {
    let empty = ["", " ", ".", "..", "a..b", ".a", "a."];
    let blank = ["a b", " a", "a ", "a\tb", "a\r\nb", "a\nPUB x 0", "a\0b", "\0", "a\u{7f}b", "a\u{1b}[m", "a\u{a0}b"];
    let foreign = ["caf\u{e9}", "a.\u{4e2d}", "a\u{202e}b", "a\u{200b}b", "{a}", "a.{b..}", "${a}"];
    let wild = ["*", ">", "a.*", "a.>", "*.a", ">.a", "a*", "a.b>", "a.*.b", "bob*.admin"];
    let reserved =
        ["$JS.API.STREAM.DELETE.X", "$SYS.REQ.SERVER.PING", "$", "$KV.a.b", "_INBOX.a.b", "_inbox.a", "_INBOX_a.b"];
    let long = [vec!["a"; 33].join("."), "a".repeat(256), format!("{}.b", "a".repeat(254)), "a".repeat(5_000)];
    let all = [&empty[..], &blank, &foreign, &wild, &reserved].concat();
    all.into_iter().map(str::to_owned).chain(long).collect()
}

/// Every way in by a topic.
async fn by_topic(publisher: &Publisher, topic: &str) -> Vec<(&'static str, Option<ErrorKind>)> {
    let kind = |result: Result<Published>| result.err().map(|error| error.kind().clone());
    let mut seen = vec![("publish", kind(publisher.publish(topic, &1).await))];
    seen.push(("message", kind(publisher.message(&1).topic(topic).event_id("e-1").publish().await)));
    let delayed = publisher.message(&1).topic(topic).delay(Duration::from_secs(1)).publish().await;
    seen.push(("delay", kind(delayed)));
    let several = publisher.publish_to([topic, topic], &1).await;
    assert_eq!((several.succeeded, several.results.len()), (0, 2), "{topic:?}");
    seen.extend(several.results.into_iter().map(|result| ("publish_to", kind(result.result))));
    let batch = publisher.batch().add(topic, &1).publish().await;
    seen.extend(batch.results.into_iter().map(|result| ("batch", kind(result.result))));
    let atomic = publisher.batch().atomic().add("order.created", &1).add(topic, &1).publish().await;
    seen.push(("atomic", atomic.err().map(|error| error.kind().clone())));
    let buffered = publisher.buffered().add(topic, &1).await;
    seen.push(("buffered", buffered.err().map(|error| error.kind().clone())));
    for (name, [domain, resource, action]) in [
        ("event, domain", [topic, "user", "created"]),
        ("event, resource", ["users", topic, "created"]),
        ("event, action", ["users", "user", topic]),
    ] {
        seen.push((name, kind(publisher.event(domain, resource, action, &1).await)));
    }
    seen
}

/// Every way in by a raw subject.
async fn by_subject(publisher: &Publisher, subject: &str) -> Vec<(&'static str, Option<ErrorKind>)> {
    let kind = |error: natspubsub::Error| error.kind().clone();
    let raw = publisher.subject(subject);
    let asked: Result<u64> = publisher.request(subject, &1).await;
    vec![
        ("subject().send", raw.send(&1).await.err().map(kind)),
        ("subject().message", raw.message(&1).event_id("e-1").publish().await.err().map(kind)),
        ("subject().send_core", raw.send_core(&1).await.err().map(kind)),
        ("subject().message in a batch", batch_of(publisher, subject).await),
        ("request", asked.err().map(kind)),
    ]
}

async fn batch_of(publisher: &Publisher, subject: &str) -> Option<ErrorKind> {
    let report = publisher.batch().add_message(publisher.subject(subject).message(&1)).publish().await;
    report.results.into_iter().find_map(|result| result.result.err()).map(|error| error.kind().clone())
}

/// Types whose declarations are wrong; `#[derive(Event)]` would not compile.
macro_rules! bad_events {
    ($($name:ident $topic:literal $is_raw:literal),*) => {
        $(
            #[derive(Serialize)]
            struct $name;
            impl Event for $name {
                const TOPIC: &'static str = $topic;
                const IS_RAW: bool = $is_raw;
                const MESSAGE_TYPE: &'static str = "Bad";
            }
        )*
        /// Every way in by a type.
        async fn by_type(publisher: &Publisher) -> Vec<(&'static str, Option<ErrorKind>)> {
            vec![$((concat!($topic, " of a type"), publisher.send(&$name).await.err().map(|error| error.kind().clone()))),*]
        }
    };
}
bad_events!(
    Wild "order.*" false, Spaced "a b" false, Empty "" false, Broken "a\r\nb" false, Dollar "$js.api" false,
    RawWild "order.>" true, RawApi "$JS.API.STREAM.PURGE.X" true, RawInbox "_INBOX.a" true, RawNul "a\0" true
);

/// The number of the application's connection at the server, and what it has sent there.
async fn sent(server: &NatsServer) -> (u64, u64, u64) {
    let connections = server.connections().await;
    let own = connections.iter().find(|connection| connection["name"] == "test.s1").expect("it is connected");
    let number = |field: &str| own[field].as_u64().expect("a number");
    (number("cid"), number("in_msgs"), number("in_bytes"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_no_bad_subject_leaves_the_process() {
    let server = NatsServer::start_with("http: \"127.0.0.1:-1\"").await;
    let inspector = Inspector::connect(&server.url()).await;
    if !inspector.client.is_server_compatible(2, 12, 0) {
        return;
    }
    let publisher = Publisher::connect(config(&server.url(), "s1")).await.unwrap();
    // The stream is allowed what delayed messages and atomic batches need, so that nothing else refuses them.
    publisher.message(&1).topic("a").delay(Duration::from_secs(3_600)).publish().await.unwrap();
    publisher.batch().atomic().add("order.created", &1).publish().await.unwrap();
    let before = sent(&server).await;

    let mut attempts = by_type(&publisher).await;
    for subject in bad_subjects() {
        let ways = [by_topic(&publisher, &subject).await, by_subject(&publisher, &subject).await].concat();
        assert_eq!(ways.len(), 16, "each way was tried");
        for (way, kind) in &ways {
            assert_eq!(kind, &Some(ErrorKind::InvalidSubject), "{way} of {subject:?}");
        }
        attempts.extend(ways);
    }
    assert!(attempts.iter().all(|(_, kind)| kind == &Some(ErrorKind::InvalidSubject)), "{attempts:?}");
    assert!(attempts.len() > 700, "{}", attempts.len());
    // A part of a topic is one token.
    for part in ["a.b", "bob.admin"] {
        let error = publisher.event("users", part, "renamed", &1).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidSubject, "{error}");
    }

    assert_eq!(sent(&server).await, before, "not a byte more, on the same connection");
    let good = publisher.publish("order.created", &1).await.unwrap();
    publisher.subject("chat.Pod-1.a:b").send_core(&1).await.unwrap();
    let messages = inspector.messages(STREAM).await;
    assert_eq!(messages.last().map(|message| message.sequence), Some(good.sequence));
    assert_eq!(messages.len(), 3, "the good ones");
    let after = sent(&server).await;
    assert!(after.0 == before.0 && after.1 > before.1, "the same connection, and it works: {before:?} {after:?}");
}

/// The longest topic of an application, and the one with the most tokens.
fn topics_at_the_limits() -> [String; 2] {
    ["a".repeat(255 - "test.s1.".len()), vec!["b"; 30].join(".")]
}

#[topic_subscriber(">")]
async fn rejects(_number: u32) -> Result<(), Failure> {
    Err(Failure::permanent("no"))
}

/// What an application may publish it can also give up: its dead letters have longer subjects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_the_longest_subjects_have_dead_letters() {
    let server = NatsServer::start().await;
    let app = App::builder().config(config(&server.url(), "s1")).subscriber(rejects {}).build().unwrap();
    let running = app.start().await.unwrap();
    for topic in topics_at_the_limits() {
        running.publisher().publish(&topic, &1_u32).await.unwrap();
        for more in [format!("{topic}a"), format!("{topic}.a")] {
            let fits = more.len() + "test.s1.".len() <= 255 && more.split('.').count() + 2 <= 32;
            assert_eq!(running.publisher().publish(&more, &1_u32).await.is_ok(), fits, "{more}");
        }
    }
    running.wait_until(|stats| stats.dead_lettered == 3, LIMIT).await.unwrap();
    assert!(running.shutdown().await.is_clean());
    let letters = Inspector::connect(&server.url()).await.messages("test-s1-dlq").await;
    for topic in topics_at_the_limits() {
        let wanted = format!("test.dlq.s1.s1-rejects.{topic}");
        assert!(letters.iter().any(|letter| letter.subject.as_str() == wanted), "{wanted}");
    }
}

type Renamed = Arc<Mutex<BTreeMap<String, String>>>;

#[topic_subscriber("user.{user}.renamed")]
async fn on_renamed(name: String, user: String, State(renamed): State<Renamed>) {
    renamed.lock().unwrap().insert(user, name);
}

/// Values that other encodings make one.
const USERS: [&str; 14] =
    ["bob.admin", "bob-admin", "bob_admin", "bob_2eadmin", "Bob", "bob", "*", ">", "", " ", "_", "a\r\nb", "\0", "é中"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_any_value_is_one_token_and_is_read_back() {
    let server = NatsServer::start().await;
    let renamed = Renamed::default();
    let app = App::builder().config(config(&server.url(), "s1")).state(renamed.clone()).subscriber(on_renamed {});
    let running = app.build().unwrap().start().await.unwrap();
    for user in USERS {
        let topic = format!("user.{}.renamed", encode_token(user));
        check_topic(&topic).unwrap();
        running.publisher().publish(&topic, user).await.unwrap();
    }
    running.wait_until(|stats| stats.processed == USERS.len() as u64, LIMIT).await.unwrap();
    assert!(running.shutdown().await.is_clean());
    let renamed = renamed.lock().unwrap().clone();
    assert_eq!(renamed.len(), USERS.len(), "no two users have one subject: {renamed:?}");
    for (token, user) in &renamed {
        assert_eq!(decode_token(token).as_ref(), Some(user));
    }
}

/// A schedule has a subject of its own; a second one on the same subject would replace the first.
#[tokio::test]
async fn s1_delayed_messages_with_alike_ids_are_all_delivered() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    // Older servers have neither delays nor atomic batches.
    if !inspector.client.is_server_compatible(2, 12, 0) {
        return;
    }
    let publisher = Publisher::connect(config(&server.url(), "s1")).await.unwrap();
    let ids = ["a.b", "a_b", "a:b", "a-b", "A.b"];
    for id in ids {
        let message = publisher.message(id).topic("order.created").event_id(id);
        message.delay(Duration::from_secs(1)).publish().await.unwrap();
    }
    let delivered = natspubsub_tests::eventually("all of them are delivered", LIMIT, || async {
        let messages = inspector.messages(STREAM).await;
        let arrived = messages.iter().filter(|message| message.subject.as_str() == "test.s1.order.created").count();
        (arrived >= ids.len()).then_some(arrived)
    });
    assert_eq!(delivered.await, ids.len());
}

#[topic_subscriber("order.created")]
async fn a_function_with_a_name_so_long_that_it_and_the_name_of_the_application_are_no_durable(_order: u32) {}

#[topic_subscriber("pod.${pod_id}.asked")]
async fn on_asked(_question: u32) {}

#[tokio::test]
async fn s1_names_are_checked_before_anything_connects() {
    // Nobody listens there: a connection would be another error.
    let build = |env: &str, app: &str| Config::builder().url("nats://127.0.0.1:1").env(env).app(app).build();
    let fault = |env: &str, app: &str| build(env, app).expect_err(&format!("{env:?} {app:?}"));
    for env in ["", " ", "a.b", "a b", "*", ">", "$sys", "$JS", "_INBOX", "_inbox_a", "a\r\nb", "a\0", "é", "a.*"] {
        assert_eq!(fault(env, "orders").kind(), &ErrorKind::Config, "{env:?}");
    }
    for app in ["dlq", "DLQ", " dlq ", "schedule", &"a".repeat(250), &"a".repeat(120)] {
        assert_eq!(fault("test", app).kind(), &ErrorKind::Config, "{app:?}");
    }
    // Whatever stands in the name of an application, it is one token.
    for app in ["a.b", "*", ">", "$JS.API", "a\r\nb", "é", "_INBOX"] {
        let name = build("test", app).unwrap().app().to_owned();
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{app:?}: {name:?}");
    }
    let long = build("test", &"a".repeat(80)).unwrap();
    let app = App::builder()
        .config(long)
        .subscriber(a_function_with_a_name_so_long_that_it_and_the_name_of_the_application_are_no_durable {});
    let error = app.build().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Start);
    assert!(error.to_string().contains("durable") && error.to_string().contains("longer than 128"), "{error}");
    for value in ["", "a.b", "*", ">", "a b", "é", "${b}", "a\r\nb"] {
        let config = Config::builder().url("nats://127.0.0.1:1").env("test").app("s1").bind("pod_id", value).build();
        let built = config.and_then(|config| App::builder().config(config).subscriber(on_asked {}).build());
        assert!(built.is_err(), "{value:?}");
    }
}
