//! Goal: what a publisher says about a message reaches the handler, and what a handler publishes carries the trace and
//! the correlation of the message it handles and names it as the cause. Method: one handler publishes on, another notes
//! all that it is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::{ErrorKind, RunningApp};
use natspubsub_tests::{NatsServer, config, unique};

const LIMIT: Duration = Duration::from_secs(20);
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// What a handler was told.
#[derive(Debug, Clone)]
struct Told {
    topic: String,
    subject: String,
    event_id: String,
    occurred_at: String,
    metadata: Metadata,
    headers: Headers,
}

type Seen = Arc<Mutex<Vec<Told>>>;

#[topic_subscriber("told.>", "users.user.created")]
async fn listens(_body: Raw, ctx: Context, metadata: Metadata, headers: Headers, State(seen): State<Seen>) {
    assert_eq!(
        (ctx.metadata().user_id.as_ref(), ctx.trace_id()),
        (metadata.user_id.as_ref(), metadata.trace_id.as_deref())
    );
    seen.lock().unwrap().push(Told {
        topic: ctx.topic().to_owned(),
        subject: ctx.subject().to_owned(),
        event_id: ctx.event_id().to_owned(),
        occurred_at: ctx.occurred_at().map(|at| at.to_string()).unwrap_or_default(),
        metadata,
        headers,
    });
}

/// Publishes in every way that a publisher has.
#[topic_subscriber("order.created")]
async fn publishes_on(order: String, publisher: Publisher) -> Result<()> {
    publisher.publish("told.alone", &order).await?;
    publisher.message(&order).topic("told.own").correlation_id("own").trace_id("mine").publish().await?;
    assert!(publisher.batch().add("told.batch", &order).publish().await.is_ok());
    publisher.batch().atomic().add("told.atomic", &order).publish().await?;
    assert!(publisher.publish_to(["told.one", "told.other"], &order).await.is_ok());
    let buffered = publisher.buffered();
    buffered.add("told.buffered", &order).await?;
    assert_eq!(buffered.flush().await.failed, 0);
    publisher.clone().publish("told.clone", &order).await?;
    publisher.publish("told.bytes", &Raw(b"\x01"[..].into())).await?;
    Ok(())
}

async fn start(url: &str, seen: &Seen) -> RunningApp {
    let app = App::builder().config(config(url, "told")).state(seen.clone());
    app.subscriber(publishes_on {}).subscriber(listens {}).build().unwrap().start().await.unwrap()
}

fn take(seen: &Seen) -> Vec<Told> {
    let mut told = std::mem::take(&mut *seen.lock().unwrap());
    told.sort_by(|a, b| a.topic.cmp(&b.topic));
    told
}

async fn what_the_publisher_says_reaches_the_handler(url: &str) {
    let seen = Seen::default();
    let running = start(url, &seen).await;
    let message = running.publisher().message("Ann").topic("told.all").event_id("order-1").trace_id("t-1");
    let message = message.correlation_id("checkout-7").causation_id("click-3").user_id("u-9").tenant_id("acme");
    let message = message.metadata("session_id", "s-2").metadata("attempt", 3).metadata("flags", vec!["a", "b"]);
    let message = message.occurred_at("2026-01-02T03:04:05.678Z".parse().unwrap());
    message.header("x-request-id", "r-1").header("traceparent", TRACEPARENT).publish().await.unwrap();
    running.publisher().event("users", "user", "created", "Ann").await.unwrap();
    running.wait_until(|stats| stats.processed == 2, LIMIT).await.unwrap();
    let [all, event] = <[Told; 2]>::try_from(take(&seen)).unwrap();
    let known = |value: &Option<String>| value.clone().unwrap_or_default();
    let metadata = &all.metadata;
    let ids = [&metadata.trace_id, &metadata.correlation_id, &metadata.causation_id, &metadata.user_id];
    assert_eq!(ids.map(known), ["t-1", "checkout-7", "click-3", "u-9"]);
    assert_eq!([&metadata.tenant_id, &metadata.session_id].map(known), ["acme", "s-2"]);
    assert_eq!(metadata.other["attempt"], 3);
    assert_eq!(metadata.other["flags"], serde_json::json!(["a", "b"]));
    assert_eq!((all.event_id.as_str(), all.occurred_at.as_str()), ("order-1", "2026-01-02T03:04:05.678Z"));
    assert_eq!((all.headers.get("x-request-id"), all.headers.get("traceparent")), (Some("r-1"), Some(TRACEPARENT)));
    assert_eq!((event.topic.as_str(), event.subject.as_str()), ("users.user.created", "test.told.users.user.created"));
    assert_eq!(event.metadata.correlation_id, None, "nothing is made up");

    let dotted = running.publisher().event("users", "user.profile", "created", "Ann").await.unwrap_err();
    assert_eq!(dotted.kind(), &ErrorKind::InvalidSubject, "{dotted}");
    running.shutdown().await;
}

async fn what_a_handler_publishes_names_its_cause(url: &str) {
    let seen = Seen::default();
    let running = start(url, &seen).await;
    let message = running.publisher().message("ORD-1").topic("order.created").event_id("order-1");
    let message = message.correlation_id("checkout-7").trace_id("t-1");
    message.header("traceparent", TRACEPARENT).header("tracestate", "a=1").publish().await.unwrap();
    running.wait_until(|stats| stats.processed == 10, LIMIT).await.unwrap();
    let told = take(&seen);
    let topics: Vec<&str> = told.iter().map(|told| told.topic.trim_start_matches("told.")).collect();
    assert_eq!(topics, ["alone", "atomic", "batch", "buffered", "bytes", "clone", "one", "other", "own"]);
    for told in &told {
        let is_own = told.topic == "told.own";
        let metadata = &told.metadata;
        assert_eq!(metadata.causation_id.as_deref(), Some("order-1"), "{told:?}");
        assert_eq!(metadata.correlation_id.as_deref(), Some(if is_own { "own" } else { "checkout-7" }), "{told:?}");
        assert_eq!(metadata.trace_id.as_deref(), Some(if is_own { "mine" } else { "t-1" }), "{told:?}");
        let trace = (told.headers.get("traceparent"), told.headers.get("tracestate"));
        assert_eq!(trace, (Some(TRACEPARENT), Some("a=1")), "{told:?}");
        assert_ne!(told.event_id, "order-1", "it is another event");
    }

    // Without a correlation of its own, the first event is where the conversation begins.
    let first = running.publisher().message("ORD-2").topic("order.created").event_id("order-2").publish().await;
    assert!(first.is_ok());
    running.wait_until(|stats| stats.processed == 20, LIMIT).await.unwrap();
    for told in take(&seen).iter().filter(|told| told.topic != "told.own") {
        assert_eq!(told.metadata.correlation_id.as_deref(), Some("order-2"), "{told:?}");
        assert_eq!((told.metadata.trace_id.as_ref(), told.headers.get("traceparent")), (None, None), "{told:?}");
    }
    // The application's own publisher has handled nothing.
    running.publisher().publish("told.outside", "ORD-3").await.unwrap();
    running.wait_until(|stats| stats.processed == 21, LIMIT).await.unwrap();
    assert_eq!(take(&seen)[0].metadata.causation_id, None);
    running.shutdown().await;
}

#[tokio::test]
async fn on_memory_what_the_publisher_says_reaches_the_handler() {
    what_the_publisher_says_reaches_the_handler(&format!("memory:{}", unique("told"))).await;
}

#[tokio::test]
async fn on_nats_what_the_publisher_says_reaches_the_handler() {
    let server = NatsServer::start().await;
    what_the_publisher_says_reaches_the_handler(&server.url()).await;
}

#[tokio::test]
async fn on_memory_what_a_handler_publishes_names_its_cause() {
    what_a_handler_publishes_names_its_cause(&format!("memory:{}", unique("told"))).await;
}

#[tokio::test]
async fn on_nats_what_a_handler_publishes_names_its_cause() {
    let server = NatsServer::start().await;
    what_a_handler_publishes_names_its_cause(&server.url()).await;
}
