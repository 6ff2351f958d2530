//! Goal: no delivery is lost or counted twice in the metrics: `deliveries = settlements + in flight`, for each subscriber,
//! whenever things stand still, and exactly so after random chaos. Method: four kinds of subscribers whose handlers end in
//! every way there is, by a seed; the server is killed, a consumer is deleted under them, one application is shut down with
//! handlers that do not end; everything is read from the text that Prometheus reads. What the metrics say is compared with
//! what the handlers, the server and the application counted themselves.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use natspubsub::metrics::Exposition;
use natspubsub::prelude::*;
use natspubsub::{Failure, FailureClass, RunningApp, ShutdownReport};
use natspubsub_tests::{Inspector, NatsServer, Scrape, eventually};
use tokio::sync::Semaphore;

const LIMIT: Duration = Duration::from_secs(90);
const SUBSCRIBERS: [&str; 5] = ["plain", "confirmed", "keyed", "gathered", "hanging"];
/// Those whose handlers can be made to wait.
const GATED: [&str; 4] = ["plain", "confirmed", "keyed", "gathered"];
/// Longer than any delay of a retry.
const STILL: Duration = Duration::from_secs(1);
const PERMITS: usize = 1 << 20;
const ENDINGS: [&str; 8] =
    ["processed", "duplicate", "discarded", "retried", "dead_lettered", "unstored", "released", "unanswered"];

/// What the handlers know themselves.
#[derive(Clone)]
struct Known {
    seed: u64,
    /// How often each message of each subscriber ran.
    runs: Arc<Mutex<BTreeMap<(&'static str, u64), u64>>>,
    /// Shut, nobody gets on.
    gate: Arc<Semaphore>,
}

impl Known {
    fn new(seed: u64) -> Self {
        Self { seed, runs: Arc::default(), gate: Arc::new(Semaphore::new(PERMITS)) }
    }

    fn close_gate(&self) {
        while self.gate.forget_permits(PERMITS) > 0 {}
    }

    fn open_gate(&self) {
        self.gate.add_permits(PERMITS);
    }

    /// The number of this run.
    async fn begin(&self, name: &'static str, number: u64) -> u64 {
        let run = {
            let mut runs = self.runs.lock().unwrap();
            let run = runs.entry((name, number)).or_default();
            *run += 1;
            *run
        };
        drop(self.gate.acquire().await);
        run
    }

    fn runs(&self, name: &str) -> u64 {
        self.runs.lock().unwrap().iter().filter(|((other, _), _)| *other == name).map(|(_, runs)| runs).sum()
    }
}

/// A number that looks random and follows from its place.
fn dice(seed: u64, number: u64, run: u64) -> u64 {
    let mut x = seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ run.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Known {
    /// Every way in which a handler ends, but for that which takes too long.
    async fn handle(&self, name: &'static str, number: u64) -> Outcome {
        let run = self.begin(name, number).await;
        let failed = |class| Outcome::Failed(Failure::new(class, "chaos"));
        match dice(self.seed, number, run) % 100 {
            0..12 => failed(FailureClass::Transient { after: Some(Duration::from_millis(20)) }),
            12..15 => Outcome::Retry { after: Some(Duration::from_millis(5)) },
            15..19 => failed(FailureClass::Permanent),
            19..22 => Outcome::DeadLetter { reason: "chaos".into() },
            22..26 => Outcome::Discard { reason: "chaos".into() },
            26..29 => failed(FailureClass::Infrastructure { pause: Duration::from_millis(20) }),
            29..32 => failed(FailureClass::Validation),
            32..35 => panic!("chaos"),
            _ => Outcome::Ack,
        }
    }
}

#[topic_subscriber("chaos.plain", concurrency = 8, ack_wait = "2s", max_attempts = 3, backoff = "50ms")]
async fn plain(number: u64, State(known): State<Known>) -> Outcome {
    known.handle("plain", number).await
}

#[topic_subscriber(
    "chaos.confirmed",
    concurrency = 8,
    ack_wait = "2s",
    max_attempts = 3,
    backoff = "50ms",
    confirm_ack
)]
async fn confirmed(number: u64, State(known): State<Known>) -> Outcome {
    known.handle("confirmed", number).await
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Keyed {
    key: u64,
    number: u64,
}

#[topic_subscriber(
    "chaos.keyed",
    concurrency = 8,
    ack_wait = "2s",
    max_attempts = 3,
    backoff = "50ms",
    ordered_by = "key"
)]
async fn keyed(message: Keyed, State(known): State<Known>) -> Outcome {
    known.handle("keyed", message.number).await
}

#[batch_subscriber("chaos.gathered", max = 10, wait = "5ms", ack_wait = "2s", max_attempts = 3)]
async fn gathered(batch: Batch<u64>, State(known): State<Known>) {
    drop(known.gate.acquire().await);
    for number in &batch {
        match dice(known.seed, **number, 0) % 10 {
            0 => number.retry(Some(Duration::from_millis(10))),
            1 => number.dead_letter("chaos"),
            2 => number.discard("chaos"),
            _ => {}
        }
    }
}

#[topic_subscriber("chaos.hanging", ack_wait = "2s", max_attempts = 2, backoff = "50ms", timeout = "100ms")]
async fn hanging(number: u64, State(known): State<Known>) {
    *known.runs.lock().unwrap().entry(("hanging", number)).or_default() += 1;
    if number.is_multiple_of(10) {
        std::future::pending().await
    }
}

async fn start(url: &str, known: &Known) -> RunningApp {
    let config = Config::builder().url(url).env("test").app("h4").shutdown_timeout(Duration::from_millis(300));
    let app = App::builder().config(config.build().unwrap()).state(known.clone());
    let app = app
        .subscriber(plain {})
        .subscriber(confirmed {})
        .subscriber(keyed {})
        .subscriber(gathered {})
        .subscriber(hanging {});
    app.build().unwrap().start().await.unwrap()
}

/// Publishes numbers to every subscriber, each until it is stored.
async fn publish(publisher: &Publisher, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let keyed = Keyed { key: number % 40, number };
        let value = |name: &str| if name == "keyed" { serde_json::json!(keyed) } else { serde_json::json!(number) };
        for name in SUBSCRIBERS {
            let (topic, value) = (format!("chaos.{name}"), value(name));
            let message = || publisher.message(&value).topic(&topic).event_id(format!("h4-{name}-{number}"));
            while message().publish().await.is_err() {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// The balance of one subscriber: deliveries, those that ended, those in flight.
fn balance(scrape: &Scrape, name: &str) -> (i64, i64, i64) {
    let of = |metric: &str| scrape.count(metric, &[("subscriber", name)]);
    let ended = of("nats_pubsub_settlements_total");
    (of("nats_pubsub_deliveries_total"), ended, of("nats_pubsub_deliveries_in_flight"))
}

fn assert_balanced(scrape: &Scrape) {
    for name in SUBSCRIBERS {
        let (deliveries, ended, in_flight) = balance(scrape, name);
        assert_eq!(deliveries, ended + in_flight, "{name}: deliveries = settlements + in flight");
        let subject = format!("chaos.{name}");
        let received = scrape.count("nats_pubsub_messages_received_total", &[("subject", &subject)]);
        let sizes = scrape.count("nats_pubsub_message_size_bytes_count", &[("subscriber", name)]);
        assert_eq!((received, sizes), (deliveries, deliveries), "{name}: received is delivered");
        let outcomes = scrape.values("nats_pubsub_settlements_total", "outcome");
        assert!(ENDINGS.iter().all(|ending| outcomes.contains(*ending)), "{outcomes:?}");
    }
}

fn ended(scrape: &Scrape, outcome: &str) -> i64 {
    let of = |name: &&str| scrape.count("nats_pubsub_settlements_total", &[("subscriber", name), ("outcome", outcome)]);
    SUBSCRIBERS.iter().map(of).sum()
}

/// What the metrics say is what the applications counted themselves.
fn assert_agrees(scrape: &Scrape, all: &[ShutdownReport]) {
    let sum = |of: fn(&ShutdownReport) -> u64| all.iter().map(of).sum::<u64>() as i64;
    assert_eq!(ended(scrape, "processed"), sum(|report| report.processed), "processed");
    assert_eq!(ended(scrape, "discarded"), sum(|report| report.discarded), "discarded");
    assert_eq!(ended(scrape, "released"), sum(|report| report.released), "released");
    let letters = scrape.count("nats_pubsub_dlq_messages_total", &[]);
    assert_eq!(letters, sum(|report| report.dead_lettered), "dead letters");
    let reasons = scrape.count("nats_pubsub_ack_failures_total", &[]);
    assert_eq!(reasons, ended(scrape, "unanswered"), "each unanswered delivery has a reason");
}

/// The runs that have a duration are those that the handlers counted.
fn assert_runs(scrape: &Scrape, known: &Known) {
    for name in ["plain", "confirmed", "keyed", "hanging"] {
        let runs = scrape.count("nats_pubsub_processing_duration_seconds_count", &[("subscriber", name)]);
        let by_outcome = scrape.count("nats_pubsub_handler_duration_seconds_count", &[("subscriber", name)]);
        let cut_off = known.runs(name) as i64 - runs;
        assert_eq!(runs, by_outcome, "{name}: the same runs by outcome");
        assert!((0..=8).contains(&cut_off), "{name}: only what was cut off has no duration: {cut_off}");
        let running = scrape.count("nats_pubsub_handlers_running", &[("subscriber", name)]);
        assert_eq!(running, 0, "{name}: nothing runs");
    }
}

async fn wait_until_settled(server: &NatsServer) {
    let inspector = Inspector::connect(&server.url()).await;
    for name in SUBSCRIBERS {
        eventually("the backlog is gone", LIMIT, || async {
            inspector.is_settled("test-h4-stream", &format!("h4-{name}")).await.then_some(())
        })
        .await;
    }
}

/// Handlers stand at a shut gate: what is in flight counts, and nothing moves.
async fn stand_at_the_gate(running: &RunningApp, known: &Known, numbers: std::ops::Range<u64>) {
    known.close_gate();
    publish(running.publisher(), numbers).await;
    eventually("hands are full", LIMIT, || {
        let scrape = Scrape::now();
        ready(GATED.iter().all(|name| balance(&scrape, name).2 >= 16).then_some(()))
    })
    .await;
    let balances = || SUBSCRIBERS.map(|name| balance(&Scrape::now(), name));
    let (mut before, mut since) = (balances(), Instant::now());
    eventually("nothing moves", LIMIT, || {
        let now = balances();
        if now != before {
            (before, since) = (now, Instant::now());
        }
        ready((since.elapsed() >= STILL).then_some(()))
    })
    .await;
    let scrape = Scrape::now();
    assert_balanced(&scrape);
    let running = scrape.count("nats_pubsub_handlers_running", &[("subscriber", "plain")]);
    assert!((1..=16).contains(&running), "no more run than may in two applications: {running}");
}

/// The server dies while handlers run; they end before it is back.
async fn kill(server: &mut NatsServer, known: &Known) {
    known.close_gate();
    let all = || GATED.iter().map(|name| balance(&Scrape::now(), name).2).sum::<i64>();
    eventually("deliveries are in hand", LIMIT, || ready((all() >= 16).then_some(()))).await;
    let before = ended(&Scrape::now(), "unanswered");
    server.kill();
    eventually("the connection is down", LIMIT, || {
        ready((Scrape::now().sum("nats_pubsub_connection_status", &[]) == 0.0).then_some(()))
    })
    .await;
    known.open_gate();
    eventually("handlers end without an answer", LIMIT, || {
        ready((ended(&Scrape::now(), "unanswered") > before).then_some(()))
    })
    .await;
    server.restart().await;
}

#[expect(clippy::print_stdout, reason = "the seed, to run it again")]
async fn conserved(messages: u64, kills: u64) {
    Exposition::install().expect("no other recorder");
    let seed = std::env::var("NATSPUBSUB_SEED").ok().and_then(|seed| seed.parse().ok());
    let known = Known::new(seed.unwrap_or_else(|| u64::from(std::process::id())));
    println!("NATSPUBSUB_SEED={}", known.seed);
    let mut server = NatsServer::start().await;
    let share = messages / SUBSCRIBERS.len() as u64;
    let (first, second) = (start(&server.url(), &known).await, start(&server.url(), &known).await);
    for part in 0..kills {
        let publisher = first.publisher().clone();
        let numbers = share * part / kills..share * (part + 1) / kills;
        let publishing = tokio::spawn(async move { publish(&publisher, numbers).await });
        kill(&mut server, &known).await;
        tokio::time::timeout(LIMIT, publishing).await.expect("everything is stored in time").unwrap();
    }
    let inspector = Inspector::connect(&server.url()).await;
    inspector.jetstream.delete_consumer_from_stream("h4-plain", "test-h4-stream").await.unwrap();
    eventually("the consumer is made again", LIMIT, || async {
        inspector.consumer_names("test-h4-stream").await.contains(&"h4-plain".to_owned()).then_some(())
    })
    .await;
    publish(first.publisher(), share..share + 20).await;
    wait_until_settled(&server).await;
    stand_at_the_gate(&first, &known, share + 20..share + 50).await;
    // One ends with handlers at the gate: they are cut off and given back, and the other one takes over.
    let second = second.shutdown().await;
    assert!(second.released > 0, "{second:?}");
    known.open_gate();
    wait_until_settled(&server).await;
    let first = first.shutdown().await;
    let scrape = Scrape::now();
    assert_balanced(&scrape);
    assert!(SUBSCRIBERS.iter().all(|name| balance(&scrape, name).2 == 0), "nothing is in flight");
    assert_agrees(&scrape, &[first, second]);
    assert_runs(&scrape, &known);
    for outcome in ["processed", "discarded", "retried", "dead_lettered", "released", "unanswered"] {
        assert!(ended(&scrape, outcome) > 0, "the chaos led to {outcome}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h4_every_delivery_is_counted_in_and_out_once() {
    conserved(1_200, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes long"]
async fn h4_every_delivery_is_counted_in_and_out_once_long() {
    conserved(10_000, 4).await;
}
