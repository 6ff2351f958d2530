//! Goal: what is declared reaches the server once and stays: starting again writes nothing, eight at once end as one,
//! what nobody here owns is left alone, and `verify` and `off` write nothing. Method: the raw configurations of all
//! streams and consumers, before and after.

use std::time::Duration;

use async_nats::jetstream::stream;
use natspubsub::prelude::*;
use natspubsub::{ChangeKind, ConfigBuilder, ErrorKind, Manage};
use natspubsub_tests::{Inspector, NatsServer};

const AT_ONCE: usize = 8;
const STREAM: &str = "test-managed-stream";

mod before {
    use natspubsub::prelude::*;

    #[topic_subscriber("order.created", durable = "first", ack_wait = "30s")]
    pub(super) async fn first(order: Raw) {
        let _ = order;
    }

    #[topic_subscriber("order.*", "payment.>", durable = "second", deliver = "new")]
    pub(super) async fn second(order: Raw) {
        let _ = order;
    }
}

mod after {
    use natspubsub::prelude::*;

    #[topic_subscriber("order.created", durable = "first", ack_wait = "60s")]
    pub(super) async fn first(order: Raw) {
        let _ = order;
    }
}

fn config(server: &NatsServer) -> ConfigBuilder {
    Config::builder().url(server.url()).env("test").app("managed")
}

fn declared(config: ConfigBuilder) -> App {
    let builder = App::builder().subscriber(before::first {}).subscriber(before::second {});
    builder.config(config.build().unwrap()).build().unwrap()
}

fn changed(config: ConfigBuilder) -> App {
    App::builder().subscriber(after::first {}).config(config.build().unwrap()).build().unwrap()
}

async fn run_once(app: App) {
    assert!(app.start().await.unwrap().shutdown().await.is_clean());
}

#[tokio::test]
async fn a_second_start_writes_nothing() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let plan = declared(config(&server)).plan().await.unwrap();
    assert!(inspector.assets().await.is_empty(), "a plan changes nothing");
    assert!(plan.changes().iter().all(|change| change.kind == ChangeKind::Create));
    run_once(declared(config(&server))).await;
    let first = inspector.assets().await;
    assert_eq!(plan.changes().len(), first.len(), "everything that was planned, and nothing else: {first:?}");
    assert!(first.values().all(|told| told.contains("\"natspubsub.app\":\"managed\"")), "{first:?}");
    assert_eq!(declared(config(&server)).plan().await.unwrap().to_string(), "nothing to change");
    run_once(declared(config(&server))).await;
    assert_eq!(inspector.assets().await, first);
}

/// Starts eight applications at once, and ends them.
async fn at_once(app: impl Fn() -> App) {
    let starts = (0..AT_ONCE).map(|_| tokio::spawn(app().start()));
    for started in futures::future::join_all(starts).await {
        let running = started.unwrap().expect("no start fails");
        assert!(running.shutdown().await.is_clean());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_applications_that_start_at_once_end_in_one_state() {
    let (alone, together) = (NatsServer::start().await, NatsServer::start().await);
    let (one, eight) = (Inspector::connect(&alone.url()).await, Inspector::connect(&together.url()).await);
    run_once(declared(config(&alone))).await;
    at_once(|| declared(config(&together))).await;
    assert_eq!(eight.configs().await, one.configs().await);

    let longer = |server| config(server).stream_max_age(Duration::from_secs(86_400));
    run_once(changed(longer(&alone))).await;
    at_once(|| changed(longer(&together))).await;
    assert_eq!(eight.configs().await, one.configs().await);
    let first = eight.consumer(STREAM, "first").await.config;
    assert_eq!(first.ack_wait, Duration::from_secs(60));
}

/// The regression: an update of one field that leaves out the others sets them to their defaults.
#[tokio::test]
async fn no_update_resets_max_age() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let aged = || config(&server).stream_max_age(Duration::from_secs(3_600));
    run_once(declared(aged())).await;
    let age = async || inspector.jetstream.get_stream(STREAM).await.unwrap().cached_info().config.max_age.as_secs();
    assert_eq!(age().await, 3_600);

    let publisher = Publisher::connect(aged().build().unwrap()).await.unwrap();
    publisher.message(&1).topic("order.created").ttl(Duration::from_secs(60)).publish().await.unwrap();
    assert_eq!(age().await, 3_600, "a message with a lifetime had the stream updated");
    run_once(declared(aged().stream_duplicate_window(Duration::from_secs(300)))).await;
    let stream = inspector.jetstream.get_stream(STREAM).await.unwrap();
    let kept = &stream.cached_info().config;
    assert_eq!((kept.max_age.as_secs(), kept.duplicate_window.as_secs()), (3_600, 300));
    assert!(kept.allow_message_ttl, "what the message asked for stays");
    run_once(changed(aged().stream_duplicate_window(Duration::from_secs(300)))).await;
    assert_eq!(age().await, 3_600, "a changed consumer");
}

#[tokio::test]
async fn verify_starts_only_without_drift_and_prints_it() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let verify = || config(&server).manage(Manage::Verify);
    let error = declared(verify()).start().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Start);
    let text = error.to_string();
    assert!(text.contains("\n+ stream   test-managed-stream  subjects test.managed.>  limits, file, 7d\n"), "{text}");
    assert!(inspector.assets().await.is_empty(), "nothing is made");

    run_once(declared(config(&server))).await;
    let made = inspector.assets().await;
    run_once(declared(verify())).await;
    let text = changed(verify()).start().await.unwrap_err().to_string();
    assert!(text.contains("\n~ consumer test-managed-stream/first  ack_wait 30s -> 60s  in place"), "{text}");
    let publisher = Publisher::connect(verify().build().unwrap()).await.unwrap();
    publisher.publish("order.created", &1).await.unwrap();
    let lifetime = publisher.message(&1).topic("order.created").ttl(Duration::from_secs(60)).publish().await;
    let error = lifetime.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Rejected);
    assert!(error.to_string().contains("allow_msg_ttl") && error.to_string().contains("\"verify\""), "{error}");
    assert_eq!(inspector.assets().await, made, "nothing is changed");
}

#[tokio::test]
async fn off_compares_nothing_and_needs_the_consumers() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let off = || config(&server).manage(Manage::Off);
    let text = declared(off()).start().await.unwrap_err().to_string();
    for part in ["3 fault(s)", "consumer \"first\" of stream \"test-managed-stream\" does not exist", "manage.rs:"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    run_once(declared(config(&server))).await;
    let made = inspector.assets().await;
    let running = changed(off()).start().await.unwrap();
    running.publisher().publish("order.created", &1).await.unwrap();
    running.wait_until(|stats| stats.processed == 1, Duration::from_secs(20)).await.unwrap();
    assert!(running.shutdown().await.is_clean());
    assert_eq!(inspector.assets().await, made, "another ack_wait is no matter");
}

/// A stream that somebody made by hand.
async fn make_by_hand(inspector: &Inspector, owner: Option<&str>) {
    let metadata = owner.map(|owner| ("natspubsub.app".to_owned(), owner.to_owned()));
    let config = stream::Config {
        name: STREAM.into(),
        subjects: vec!["test.managed.>".into()],
        max_age: Duration::from_secs(60 * 60),
        description: Some("by hand".into()),
        metadata: metadata.into_iter().collect(),
        ..stream::Config::default()
    };
    inspector.jetstream.create_stream(config).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_nobody_owns_is_taken_over_on_request_only() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    make_by_hand(&inspector, None).await;
    let text = declared(config(&server)).start().await.unwrap_err().to_string();
    for part in [STREAM, "max_age 1h -> 7d", "NATSPUBSUB_ADOPT"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(inspector.stream_names().await, [STREAM], "nothing is written while a stream is foreign");
    let plan = declared(config(&server)).plan().await.unwrap();
    let line = "x stream   test-managed-stream  max_age 1h -> 7d  foreign (no owner)";
    assert_eq!(plan.to_string().lines().next(), Some(line));

    run_once(declared(config(&server).adopt(true))).await;
    let stream = inspector.jetstream.get_stream(STREAM).await.unwrap();
    let adopted = &stream.cached_info().config;
    assert_eq!((adopted.max_age.as_secs(), adopted.description.as_deref()), (7 * 86_400, Some("by hand")));
    assert_eq!(adopted.metadata["natspubsub.app"], "managed");
    assert_eq!(declared(config(&server)).plan().await.unwrap().to_string(), "nothing to change");
}

#[tokio::test]
async fn a_stream_of_another_application_is_never_taken_over() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    make_by_hand(&inspector, Some("rides")).await;
    let before = inspector.assets().await;
    let text = declared(config(&server).adopt(true)).start().await.unwrap_err().to_string();
    assert!(text.contains("belongs to another application, \"rides\"") && text.contains("max_age 1h -> 7d"), "{text}");
    assert_eq!(inspector.assets().await, before);
}

#[tokio::test]
async fn what_nobody_owns_and_equals_the_declaration_is_not_written() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    make_by_hand(&inspector, None).await;
    let before = inspector.assets().await[STREAM].clone();
    run_once(declared(config(&server).stream_max_age(Duration::from_secs(3_600)))).await;
    assert_eq!(inspector.assets().await[STREAM], before);
}

#[tokio::test]
async fn three_replicas_are_refused_on_a_server_that_stands_alone() {
    let server = NatsServer::start().await;
    let text = declared(config(&server).stream_replicas(3)).start().await.unwrap_err().to_string();
    assert!(
        text.contains("\"test-managed-stream\" wants 3 replicas, and the server is not part of a cluster"),
        "{text}"
    );
    assert!(Inspector::connect(&server.url()).await.stream_names().await.is_empty());
}
