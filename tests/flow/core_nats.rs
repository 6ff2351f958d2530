//! Goal: core NATS in the style of streams: queue groups, broadcasts, captured tokens, requests with typed replies and
//! errors in headers. Method: the same application on the broker inside the process and on a real server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use natspubsub::__port::{Listener, Port};
use natspubsub::prelude::*;
use natspubsub::{ErrorKind, RequestMany, RunningApp};
use natspubsub_tests::{NatsServer, eventually, unique};
use serde::{Deserialize, Serialize};

const LIMIT: Duration = Duration::from_secs(20);

type Log = Arc<Mutex<Vec<String>>>;

fn sorted(log: &Log) -> Vec<String> {
    let mut log = log.lock().unwrap().clone();
    log.sort();
    log
}

#[derive(Debug, Serialize, Deserialize)]
struct Chunk {
    number: u32,
}

#[subject_subscriber("chat.session.{session}.response", transport = "core")]
async fn on_session(chunk: Chunk, session: String, ctx: Context, State(log): State<Log>) {
    assert_eq!((ctx.stream(), ctx.sequence(), ctx.attempt(), ctx.is_last_attempt()), ("", 0, 1, true));
    log.lock().unwrap().push(format!("session {session} {}", chunk.number));
}

#[subject_subscriber("chat.pod.${pod}.response", transport = "core", envelope = false)]
async fn on_pod(chunk: Chunk, State(log): State<Log>) {
    log.lock().unwrap().push(format!("pod {}", chunk.number));
}

#[subject_subscriber("chat.work.*", transport = "core", queue = "workers", concurrency = 1)]
async fn on_work(chunk: Chunk, State(log): State<Log>) -> Result<(), Failure> {
    log.lock().unwrap().push(format!("work {}", chunk.number));
    match chunk.number {
        13 => Err(Failure::transient("no luck")),
        14 => panic!("a panic of the test"),
        _ => Ok(()),
    }
}

#[derive(Serialize, Deserialize)]
struct Ask {
    how: String,
}

#[responder("chat.pod.${pod}.health", timeout = "300ms")]
async fn health(ask: Ask, publisher: Publisher) -> Result<Chunk, Failure> {
    match ask.how.as_str() {
        "well" => Ok(Chunk { number: 7 }),
        "listen" => {
            publisher.subject("chat.work.x").send_core(&Chunk { number: 3 }).await.map_err(Failure::transient)?;
            Ok(Chunk { number: 8 })
        }
        "invalid" => Err(Failure::validation("no such way")),
        "down" => Err(Failure::transient("postgres://me:hunter2@db is down")),
        "slow" => std::future::pending().await,
        _ => panic!("what only the log may tell"),
    }
}

async fn start(url: &str, pod: &str, log: &Log) -> RunningApp {
    natspubsub_tests::record_logs();
    let config = Config::builder().url(url).env("test").app("chat").bind("pod", pod).build().unwrap();
    let app = App::builder().config(config).state(log.clone());
    let app = app.subscriber(on_session {}).subscriber(on_pod {}).subscriber(on_work {}).subscriber(health {});
    app.build().unwrap().start().await.unwrap()
}

async fn chats(url: &str) {
    let log = Log::default();
    let pods = [start(url, "pod-1", &log).await, start(url, "pod-2", &log).await];
    let publisher = pods[0].publisher();
    for number in 0..6 {
        publisher.subject("chat.session.s1.response").send_core(&Chunk { number }).await.unwrap();
        publisher.subject("chat.work.a").send_core(&Chunk { number }).await.unwrap();
    }
    publisher.subject("chat.pod.pod-2.response").envelope(false).send_core(&Chunk { number: 9 }).await.unwrap();
    let settled = || pods.iter().map(|pod| pod.stats().settled()).sum::<u64>();
    eventually("every message is handled", LIMIT, async || (settled() >= 19).then_some(())).await;
    let mut wanted: Vec<String> = (0..6).flat_map(|n| vec![format!("session s1 {n}"); 2]).collect();
    wanted.extend((0..6).map(|number| format!("work {number}")));
    wanted.push("pod 9".to_owned());
    wanted.sort();
    assert_eq!(sorted(&log), wanted, "every pod hears the session, one of the group the work, and one pod its own");
    for number in [13, 14] {
        publisher.subject("chat.work.a").send_core(&Chunk { number }).await.unwrap();
    }
    eventually("both have failed", LIMIT, async || {
        (pods.iter().map(|pod| pod.stats().failed).sum::<u64>() == 2).then_some(())
    })
    .await;
    for pod in pods {
        assert!(pod.shutdown().await.is_clean());
    }
    assert_eq!(log.lock().unwrap().len(), wanted.len() + 2, "nothing is tried again");
}

async fn asks(url: &str) {
    let log = Log::default();
    let pod = start(url, "pod-1", &log).await;
    let publisher = pod.publisher();
    let ask = async |how: &str| {
        let reply = publisher.request::<_, Chunk>("chat.pod.pod-1.health", &Ask { how: how.to_owned() }).await;
        reply.map(|chunk| chunk.number)
    };
    assert_eq!((ask("well").await.unwrap(), ask("listen").await.unwrap()), (7, 8));
    for (how, code, words) in [
        ("invalid", 400, "no such way"),
        ("down", 500, "postgres://me:***@db is down"),
        ("slow", 504, "did not end within its time limit"),
        ("panic", 500, "the responder panicked"),
    ] {
        let error = ask(how).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Responder { code: Some(code) }, "{error}");
        let is_told = |what| error.to_string().contains(what);
        assert!(is_told(words) && !is_told("hunter2") && !is_told("what only the log"), "{error}");
    }
    let error = publisher.request::<_, Chunk>("chat.pod.pod-1.health", "no ask").await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Responder { code: Some(400) }, "{error}");
    let error = publisher.request::<_, Chunk>("chat.pod.pod-2.health", "no pod").await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NoResponders, "{error}");
    pod.wait_until(|stats| stats.processed >= 3, LIMIT).await.unwrap();
    assert_eq!(sorted(&log), ["work 3"]);
    let report = pod.shutdown().await;
    assert_eq!((report.processed, report.failed, report.is_clean()), (3, 5, true));
}

async fn many(url: &str) {
    let log = Log::default();
    let pods = [start(url, "pod-1", &log).await, start(url, "pod-2", &log).await];
    let publisher = pods[0].publisher();
    let ask = async |request: RequestMany<'_, Ask>| {
        let replies = request.send::<Chunk>().await.unwrap();
        replies.map(|reply| reply.map(|chunk| chunk.number).map_err(|error| error.kind().clone())).collect().await
    };
    let well = Ask { how: "well".to_owned() };
    let health = "chat.pod.pod-1.health";
    let one: Vec<Result<u32, ErrorKind>> = ask(publisher.request_many(health, &well).max(1)).await;
    assert_eq!(one, [Ok(7)]);
    let stalled = publisher.request_many(health, &well).stall(Duration::from_millis(50)).within(LIMIT);
    assert_eq!(ask(stalled).await, [Ok(7)], "nothing follows");
    let began = std::time::Instant::now();
    let limited = publisher.request_many(health, &well).within(Duration::from_millis(150));
    assert_eq!(ask(limited).await, [Ok(7)]);
    assert!(began.elapsed() >= Duration::from_millis(150) && began.elapsed() < LIMIT);
    let invalid = Ask { how: "invalid".to_owned() };
    let refused = publisher.request_many(health, &invalid).max(1);
    assert_eq!(ask(refused).await, [Err(ErrorKind::Responder { code: Some(400) })]);
    let nobody = publisher.request_many("chat.pod.pod-9.health", &well).within(LIMIT);
    assert_eq!(ask(nobody).await, [Err(ErrorKind::NoResponders)]);
    let silent = publisher.request_many("chat.work.a", &well).within(Duration::from_millis(50));
    assert_eq!(ask(silent).await, [Err(ErrorKind::Timeout)], "somebody listens and does not answer");
    let port = Port::connect(url).await.unwrap();
    let answering = tokio::spawn(answer_in_parts(port.clone(), port.subscribe("chat.everybody", None).await.unwrap()));
    let two = publisher.request_many("chat.everybody", &well).max(2).within(LIMIT);
    assert_eq!(ask(two).await, [Ok(1), Ok(2)]);
    let parts = publisher.request_many("chat.everybody", &well).until_empty().within(LIMIT);
    assert_eq!(ask(parts).await, [Ok(1), Ok(2), Ok(3)], "up to the empty reply");
    answering.abort();
    for pod in pods {
        pod.shutdown().await;
    }
}

/// Answers each request with three chunks and an empty message.
async fn answer_in_parts(port: Port, mut listener: Listener) {
    while let Some(request) = listener.next(LIMIT).await {
        for body in [&br#"{"number":1}"#[..], br#"{"number":2}"#, br#"{"number":3}"#, b""] {
            port.publish_core(request.reply.as_ref().unwrap(), &[], body).await.unwrap();
        }
    }
}

#[tokio::test]
async fn many_reply_in_memory() {
    many(&format!("memory:{}", unique("many"))).await;
}

#[tokio::test]
async fn many_reply_on_a_server() {
    many(&NatsServer::start().await.url()).await;
}

#[tokio::test]
async fn messages_reach_groups_instances_and_pods_in_memory() {
    chats(&format!("memory:{}", unique("chats"))).await;
}

#[tokio::test]
async fn messages_reach_groups_instances_and_pods_on_a_server() {
    chats(&NatsServer::start().await.url()).await;
}

#[tokio::test]
async fn requests_are_answered_or_refused_in_memory() {
    asks(&format!("memory:{}", unique("asks"))).await;
}

#[tokio::test]
async fn requests_are_answered_or_refused_on_a_server() {
    asks(&NatsServer::start().await.url()).await;
}
