//! Goal: messages that the server gave up, because they were delivered `max_deliver` times and nobody answered, are in
//! the dead letters with reason `crash` within ten seconds of the next start, although no application ran when the server
//! said so. Method: the limit of the consumer is lowered by hand, and plain pulls that never answer stand in for processes
//! that die in silence.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::PullConsumer;
use futures::StreamExt;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually};

const LIMIT: Duration = Duration::from_secs(20);
const SWEEP_LIMIT: Duration = Duration::from_secs(10);
const MESSAGES: u64 = 20;
/// Far below `max_attempts`: the count of attempts is not what ends these messages.
const MAX_DELIVER: i64 = 2;
/// A message that comes after all of them.
const MARKER: u64 = 1_000;

/// The numbers that the handler ran for.
type Runs = Arc<Mutex<Vec<u64>>>;

#[topic_subscriber("job.created", max_attempts = 5, ack_wait = "1s")]
async fn work(number: u64, State(runs): State<Runs>) {
    runs.lock().unwrap().push(number);
}

fn app(url: &str, runs: &Runs) -> App {
    App::builder().config(config(url, "d11")).state(runs.clone()).subscriber(work {}).build().unwrap()
}

async fn lower_max_deliver(inspector: &Inspector) {
    let stream = inspector.jetstream.get_stream("test-d11-stream").await.unwrap();
    let mut config = stream.consumer_info("d11-work").await.unwrap().config;
    assert_eq!(config.max_deliver, 105, "max_attempts and 100 more");
    config.max_deliver = MAX_DELIVER;
    stream.update_consumer(config).await.unwrap();
}

fn body(number: u64) -> String {
    format!("{{\"message\":{number}}}")
}

/// Takes every message as often as it may be delivered, and never answers.
async fn die_in_silence(inspector: &Inspector) {
    for number in 1..=MESSAGES {
        let sent = inspector.jetstream.publish("test.d11.job.created", body(number).into()).await.unwrap();
        assert_eq!(sent.await.unwrap().sequence, number);
    }
    let stream = inspector.jetstream.get_stream("test-d11-stream").await.unwrap();
    let consumer: PullConsumer = stream.get_consumer("d11-work").await.unwrap();
    for delivery in 1..=MAX_DELIVER {
        let batch = consumer.batch().max_messages(MESSAGES as usize).expires(LIMIT);
        let deliveries: Vec<i64> =
            batch.messages().await.unwrap().map(|message| message.unwrap().info().unwrap().delivered).collect().await;
        assert_eq!(deliveries, vec![delivery; MESSAGES as usize], "every message came once more");
    }
    // The server gives a message up when it is asked for one more delivery.
    let mut batch = consumer.batch().max_messages(1).expires(Duration::from_secs(3)).messages().await.unwrap();
    assert!(batch.next().await.is_none(), "no message comes a third time");
}

/// How many messages a stream holds.
async fn held(inspector: &Inspector, stream: &str) -> u64 {
    inspector.jetstream.get_stream(stream).await.unwrap().cached_info().state.messages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d11_exhausted_deliveries() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let runs = Runs::default();
    assert!(app(&server.url(), &runs).start().await.unwrap().shutdown().await.is_clean());
    lower_max_deliver(&inspector).await;
    die_in_silence(&inspector).await;

    // The fault: the server has told once about each message, and will never deliver it again.
    eventually("the server has given every message up", LIMIT, || async {
        (held(&inspector, "test-d11-advisories").await == MESSAGES).then_some(())
    })
    .await;
    assert!(inspector.is_settled("test-d11-stream", "d11-work").await, "for the consumer nothing is left to do");
    assert_eq!(held(&inspector, "test-d11-dlq").await, 0, "nobody has taken care of them");

    let start = Instant::now();
    let running = app(&server.url(), &runs).start().await.unwrap();
    eventually("every message is in the dead letters", SWEEP_LIMIT, || async {
        (held(&inspector, "test-d11-dlq").await >= MESSAGES).then_some(())
    })
    .await;
    assert!(start.elapsed() <= SWEEP_LIMIT, "{:?}", start.elapsed());
    running.publisher().publish("job.created", &MARKER).await.unwrap();
    running.wait_until(|stats| stats.processed == 1, LIMIT).await.unwrap();
    assert!(running.shutdown().await.is_clean());
    assert_eq!(*runs.lock().unwrap(), [MARKER], "the handler ran for none of them, and still runs for others");

    let letters = inspector.messages("test-d11-dlq").await;
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for letter in &letters {
        let header = |name: &str| letter.headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default();
        let story = [header("x-dlq-reason"), header("x-consumer"), header("x-original-stream")];
        assert_eq!(story, ["crash", "d11-work", "test-d11-stream"]);
        found.insert(header("x-original-sequence"), String::from_utf8(letter.payload.to_vec()).unwrap());
    }
    let wanted: BTreeMap<String, String> = (1..=MESSAGES).map(|number| (number.to_string(), body(number))).collect();
    assert_eq!((letters.len() as u64, found), (MESSAGES, wanted), "each once, with its bytes");
    let limit = inspector.consumer("test-d11-stream", "d11-work").await.config.max_deliver;
    assert_eq!(limit, 105, "the start has put the limit back");
}

async fn keep_advisories(inspector: &Inspector, subject: &str) {
    let config = async_nats::jetstream::stream::Config {
        name: "advisories".into(),
        subjects: vec![subject.into()],
        ..Default::default()
    };
    inspector.jetstream.create_stream(config).await.unwrap();
}

/// An operator may keep the advisories of every stream already; the server takes no second stream on them.
#[tokio::test]
async fn d11_advisories_of_an_operator_are_read_where_they_are() {
    for (subject, reader, limit) in [
        ("$JS.EVENT.ADVISORY.>", vec!["d11-sweeper".to_owned()], 105),
        ("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.*.d11-work", Vec::new(), -1),
    ] {
        let server = NatsServer::start().await;
        let inspector = Inspector::connect(&server.url()).await;
        keep_advisories(&inspector, subject).await;
        let running = app(&server.url(), &Runs::default()).start().await.unwrap();
        assert_eq!(inspector.consumer_names("advisories").await, reader, "{subject}");
        let consumer = inspector.consumer("test-d11-stream", "d11-work").await;
        assert_eq!(consumer.config.max_deliver, limit, "without a reader there is no limit");
        assert!(running.shutdown().await.is_clean());
    }
}
