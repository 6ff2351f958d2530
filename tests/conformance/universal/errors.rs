//! TestResendOnError, TestContinueAfterErrors.

use std::io;

use natspubsub::prelude::*;

use super::scene::{Item, Ledger, Scene, Shared, TOPIC, publish, start, stop};

#[topic_subscriber("item.made", backoff = "1ms", jitter = false, max_attempts = 5)]
async fn fails_twice(item: Item, context: Context, State(ledger): State<Shared>) -> Result<(), io::Error> {
    ledger.begun(&item, &context);
    if context.attempt() <= 2 {
        return Err(io::Error::other("not now"));
    }
    ledger.done(&item, &context);
    Ok(())
}

/// What fails twice comes again twice.
pub(super) async fn resend_on_error(scene: Scene) {
    let running = start(scene.app().subscriber(fails_twice {})).await;
    publish(running.publisher(), TOPIC, 0..100, 10).await;
    scene.ledger.until("all are done", |deeds| deeds.done.len() >= 100).await;
    stop(running).await;
    let deeds = scene.ledger.deeds();
    assert_eq!(deeds.of("fails_twice"), (0..100).collect::<Vec<_>>());
    assert!(deeds.runs.values().all(|runs| *runs == 3), "{:?}", deeds.runs);
}

#[topic_subscriber("item.made")]
async fn works(item: Item, context: Context, State(ledger): State<Shared>) {
    ledger.done(&item, &context);
}

/// Fails a hundred times in all.
fn fails_at_first(ledger: &Ledger, item: &Item, context: &Context) -> Result<(), io::Error> {
    ledger.begun(item, context);
    let of = |((by, _), runs): (&(String, u64), &u32)| if by == context.subscriber() { *runs } else { 0 };
    if ledger.deeds().runs.iter().map(of).sum::<u32>() <= 100 {
        return Err(io::Error::other("not yet"));
    }
    ledger.done(item, context);
    Ok(())
}

#[topic_subscriber("item.made", backoff = "1ms", jitter = false, max_attempts = 200)]
async fn fails_a(item: Item, context: Context, State(ledger): State<Shared>) -> Result<(), io::Error> {
    fails_at_first(&ledger, &item, &context)
}

#[topic_subscriber("item.made", backoff = "1ms", jitter = false, max_attempts = 200)]
async fn fails_b(item: Item, context: Context, State(ledger): State<Shared>) -> Result<(), io::Error> {
    fails_at_first(&ledger, &item, &context)
}

#[topic_subscriber("item.made", backoff = "1ms", jitter = false, max_attempts = 200)]
async fn fails_c(item: Item, context: Context, State(ledger): State<Shared>) -> Result<(), io::Error> {
    fails_at_first(&ledger, &item, &context)
}

/// Three subscribers that fail a hundred times each keep nothing from the good one, and get all in the end.
pub(super) async fn continue_after_errors(scene: Scene) {
    let bad = scene.app().subscriber(fails_a {}).subscriber(fails_b {}).subscriber(fails_c {});
    let running = start(bad.subscriber(works {})).await;
    publish(running.publisher(), TOPIC, 0..50, 10).await;
    let all: Vec<u64> = (0..50).collect();
    let names = ["works", "fails_a", "fails_b", "fails_c"];
    scene.ledger.until("each has all", |deeds| names.iter().all(|name| deeds.of(name) == all)).await;
    stop(running).await;
    let failures: u32 = scene.ledger.deeds().runs.values().sum::<u32>() - 150;
    assert_eq!(failures, 300);
}
