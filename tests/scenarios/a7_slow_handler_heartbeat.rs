//! Goal: a handler that runs much longer than `ack_wait` runs once, because the server is told that it works.
//! Method: 8 messages of 20 s, four at once, `ack_wait` 3 s; a plain subscription on the answers counts the in-progress
//! signals of each message. The scenario asks for 20 messages, which last 100 s; 8 last 40 s and make four messages
//! wait in hand for as long as a run lasts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually};

const LIMIT: Duration = Duration::from_secs(120);
const JOBS: u64 = 8;
const CONCURRENCY: u32 = 4;
const RUN: Duration = Duration::from_secs(20);
const ACK_WAIT: Duration = Duration::from_secs(3);
const SIGNALS_LEAST: u32 = 6;

#[derive(Default)]
struct Ledger {
    /// Runs of each job.
    runs: BTreeMap<u64, u32>,
    redelivered: u32,
    running: u32,
    most_at_once: u32,
}

type Shared = Arc<Mutex<Ledger>>;

impl Ledger {
    fn begin(&mut self, job: u64, context: &Context) {
        *self.runs.entry(job).or_default() += 1;
        self.redelivered += u32::from(context.deliveries() > 1);
        self.running += 1;
        self.most_at_once = self.most_at_once.max(self.running);
    }
}

#[topic_subscriber("job.created", concurrency = 4, prefetch = 4, ack_wait = "3s", timeout = "60s")]
async fn takes_long(job: u64, context: Context, State(ledger): State<Shared>) {
    ledger.lock().unwrap().begin(job, &context);
    tokio::time::sleep(RUN).await;
    ledger.lock().unwrap().running -= 1;
}

/// What was sent about each message, by its sequence in the stream.
#[derive(Default)]
struct Answers {
    in_progress: BTreeMap<u64, u32>,
    acknowledged: BTreeMap<u64, u32>,
    others: Vec<String>,
}

/// Reads `$JS.ACK.stream.durable.deliveries.sequence…`.
async fn listen(mut sent: async_nats::Subscriber, answers: Arc<Mutex<Answers>>) {
    while let Some(message) = sent.next().await {
        let sequence: Option<u64> = message.subject.split('.').nth(5).and_then(|token| token.parse().ok());
        let mut answers = answers.lock().unwrap();
        match (&message.payload[..], sequence) {
            // At its start the application tries whether it may answer, for a message that no stream has.
            (b"+WPI", Some(sequence)) if sequence > JOBS => {}
            (b"+WPI", Some(sequence)) => *answers.in_progress.entry(sequence).or_default() += 1,
            (b"+ACK", Some(sequence)) => *answers.acknowledged.entry(sequence).or_default() += 1,
            _ => answers.others.push(format!("{:?} to {}", message.payload, message.subject)),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a7_slow_handler_heartbeat() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let answers = Arc::new(Mutex::new(Answers::default()));
    let sent = inspector.client.subscribe("$JS.ACK.test-a7-stream.>").await.unwrap();
    inspector.stream_names().await; // The answer says that the server has read the subscription.
    let listening = tokio::spawn(listen(sent, answers.clone()));

    let ledger = Shared::default();
    let app = App::builder().config(config(&server.url(), "a7")).state(ledger.clone()).subscriber(takes_long {});
    let running = app.build().unwrap().start().await.unwrap();
    let begun = Instant::now();
    for job in 0..JOBS {
        running.publisher().publish("job.created", &job).await.unwrap();
    }
    let stats = running.wait_until(|stats| stats.settled() == JOBS, LIMIT).await.unwrap();
    assert!(begun.elapsed() >= RUN * 2, "the runs were as long as they say: {:?}", begun.elapsed());
    eventually("the server has been told of every end", LIMIT, || {
        std::future::ready((answers.lock().unwrap().acknowledged.len() as u64 == JOBS).then_some(()))
    })
    .await;
    let info = inspector.consumer("test-a7-stream", "a7-takes_long").await;
    assert!(running.shutdown().await.is_clean());
    listening.abort();

    assert_eq!(info.config.ack_wait, ACK_WAIT, "the server delivers again after this");
    assert_eq!((info.delivered.consumer_sequence, info.num_ack_pending, info.num_pending), (JOBS, 0, 0));
    assert_eq!((stats.received, stats.processed, stats.retried), (JOBS, JOBS, 0), "{stats:?}");
    let ledger = ledger.lock().unwrap();
    let once: BTreeMap<u64, u32> = (0..JOBS).map(|job| (job, 1)).collect();
    assert_eq!(ledger.runs, once, "no extra runs");
    assert_eq!((ledger.redelivered, ledger.most_at_once), (0, CONCURRENCY));
    let answers = answers.lock().unwrap();
    assert!(answers.others.is_empty(), "{:?}", answers.others);
    let once: BTreeMap<u64, u32> = (1..=JOBS).map(|sequence| (sequence, 1)).collect();
    assert_eq!(answers.acknowledged, once);
    assert_eq!(answers.in_progress.len() as u64, JOBS, "{:?}", answers.in_progress);
    assert!(answers.in_progress.values().all(|signals| *signals >= SIGNALS_LEAST), "{:?}", answers.in_progress);
}
