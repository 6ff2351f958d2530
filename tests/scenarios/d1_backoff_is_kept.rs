//! Goal: a message that fails k times is tried again after the written delays, the first retry after the first one, and
//! its attempts are counted from 1 to k + 1. Method: two subscribers on one topic, without and with jitter; the gaps
//! between the runs are measured where the user feels them, in the handler.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use natspubsub::prelude::*;
use natspubsub_tests::{NatsServer, config};

const LIMIT: Duration = Duration::from_secs(20);
const MESSAGES: u64 = 300;
const STEPS: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(200), Duration::from_millis(400)];
const JITTER: f64 = 0.2;

/// How much later than its delay a retry may begin.
const LATE: Duration = Duration::from_millis(300);

/// Between two publishes: the machine must not be what the gaps measure. Each NAK also makes the server look at its
/// timers 10 ms later and not before, so that a denser stream of them would put every look off.
const PACE: Duration = Duration::from_millis(20);

/// When each attempt of each message began, by subscriber.
type Runs = Arc<Mutex<BTreeMap<(&'static str, u64), Vec<(u64, Instant)>>>>;

/// How often a message fails before it succeeds.
fn failures(number: u64) -> u64 {
    number % 4
}

fn run(subscriber: &'static str, number: u64, ctx: &Context, runs: &Runs) -> Result<(), std::io::Error> {
    let began = Instant::now();
    runs.lock().unwrap().entry((subscriber, number)).or_default().push((ctx.attempt(), began));
    if ctx.attempt() <= failures(number) {
        return Err(std::io::Error::other("not yet"));
    }
    Ok(())
}

#[topic_subscriber("order.created", concurrency = 64, backoff = "100ms, 200ms, 400ms", jitter = false)]
async fn exact(number: u64, ctx: Context, State(runs): State<Runs>) -> Result<(), std::io::Error> {
    run("exact", number, &ctx, &runs)
}

#[topic_subscriber("order.created", concurrency = 64, backoff = "100ms, 200ms, 400ms", jitter = true)]
async fn jittered(number: u64, ctx: Context, State(runs): State<Runs>) -> Result<(), std::io::Error> {
    run("jittered", number, &ctx, &runs)
}

/// Checks attempts and gaps of one subscriber; returns the gaps after each failure, shortest first.
fn checked_gaps(runs: &Runs, subscriber: &'static str, jitter: f64) -> Vec<Vec<Duration>> {
    let runs = runs.lock().unwrap();
    let mut all: Vec<Vec<Duration>> = vec![Vec::new(); STEPS.len()];
    for number in 0..MESSAGES {
        let attempts = &runs[&(subscriber, number)];
        let counted: Vec<u64> = attempts.iter().map(|(attempt, _)| *attempt).collect();
        let wanted: Vec<u64> = (1..=failures(number) + 1).collect();
        assert_eq!(counted, wanted, "the attempts of message {number} of {subscriber}");
        for (failure, pair) in attempts.windows(2).enumerate() {
            let gap = pair[1].1 - pair[0].1;
            let step = STEPS[failure];
            let (earliest, latest) = (step.mul_f64(1.0 - jitter), step.mul_f64(1.0 + jitter) + LATE);
            assert!(
                (earliest..=latest).contains(&gap),
                "{subscriber}, message {number}: {gap:?} after failure {}, not from {earliest:?} to {latest:?}",
                failure + 1
            );
            all[failure].push(gap);
        }
    }
    all.iter_mut().for_each(|gaps| gaps.sort_unstable());
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d1_backoff_is_kept() {
    let server = NatsServer::start().await;
    let runs = Runs::default();
    let app = App::builder().config(config(&server.url(), "d1")).state(runs.clone());
    let running = app.subscriber(exact {}).subscriber(jittered {}).build().unwrap().start().await.unwrap();

    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for number in 0..MESSAGES {
        pace.tick().await;
        running.publisher().publish("order.created", &number).await.unwrap();
    }
    let stats = running.wait_until(|stats| stats.processed == 2 * MESSAGES, LIMIT).await.unwrap();
    let failed: u64 = (0..MESSAGES).map(failures).sum();
    assert_eq!((stats.retried, stats.dead_lettered, stats.unanswered), (2 * failed, 0, 0), "{stats:?}");
    assert!(running.shutdown().await.is_clean());

    // The bounds of two neighbouring steps overlap; the middle of the gaps says which step was used.
    for (step, gaps) in STEPS.iter().zip(checked_gaps(&runs, "exact", 0.0)) {
        let median = gaps[gaps.len() / 2];
        assert!(median < *step * 2, "{median:?} is the next step, not {step:?}");
    }
    // A gap below its step is what only jitter makes.
    for (step, gaps) in STEPS.iter().zip(checked_gaps(&runs, "jittered", JITTER)) {
        let (shortest, longest) = (gaps[0], gaps[gaps.len() - 1]);
        assert!(shortest < *step, "{shortest:?} is the shortest of {step:?} with jitter");
        assert!(longest - shortest >= step.mul_f64(JITTER), "from {shortest:?} to {longest:?} around {step:?}");
    }
}
