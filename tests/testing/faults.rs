//! Goal: a run with faults loses nothing and repeats exactly. Method: seeds, and the trace of each run.

use std::collections::BTreeSet;
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::testing::{End, Profile, TestApp};

#[topic_subscriber("order.created", max_attempts = 8, ack_wait = "5s", backoff = "100ms, 1s")]
async fn reserve(order: u32, ctx: Context) -> Result<(), Failure> {
    tokio::time::sleep(Duration::from_millis(u64::from(order % 7) * 10)).await;
    if order.is_multiple_of(5) && ctx.attempt() == 1 { Err(Failure::transient("busy")) } else { Ok(()) }
}

/// One run: which orders were stored, which were handled, and the trace.
async fn run(seed: u64) -> (BTreeSet<String>, BTreeSet<String>, String) {
    let app = App::builder().config(Config::builder().app("orders").build().unwrap()).subscriber(reserve {}).build();
    let test = TestApp::faults(seed, Profile::harsh()).start(app.unwrap()).await.unwrap();
    let mut stored = BTreeSet::new();
    for order in 0..40_u32 {
        if let Ok(published) = test.publish("order.created", &order).await {
            stored.insert(published.event_id);
        }
        test.advance(Duration::from_millis(100)).await;
    }
    test.heal().await;
    test.settled().await;
    let handled = stored.iter().filter(|id| test.attempts(id).iter().any(|attempt| attempt.end == End::Handled));
    let dead = test.dead_letters().iter().map(|letter| letter.event_id().to_owned()).collect::<Vec<_>>();
    let done = handled.cloned().chain(dead).collect();
    (stored, done, test.trace().map(ToString::to_string).unwrap_or_default())
}

#[tokio::test]
async fn nothing_that_is_stored_is_lost_and_a_seed_repeats_its_run() {
    let (mut crashes, mut lost) = (0, 0);
    for seed in 0..20 {
        let (stored, done, trace) = run(seed).await;
        // A server has no faults on purpose.
        if trace.is_empty() {
            return;
        }
        assert_eq!(stored.difference(&done).count(), 0, "seed {seed}:\n{trace}");
        crashes += trace.lines().filter(|line| line.contains(" crash ")).count();
        lost += trace.lines().filter(|line| line.contains("lost")).count();
    }
    assert!(crashes > 5 && lost > 5, "the faults bit: {crashes} crashes, {lost} lost");
    let (first, again, other) = (run(3).await.2, run(3).await.2, run(4).await.2);
    assert!(first == again, "the same seed gives another trace");
    assert_ne!(first, other);
}
