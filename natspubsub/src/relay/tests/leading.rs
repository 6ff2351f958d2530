//! Goal: a shard has one relay at a time, and nothing is lost when one of them or the database is away for a while.

use super::faulty::{ALWAYS, Faulty};
use super::*;

#[tokio::test(start_paused = true)]
async fn two_relays_share_the_work_and_publish_nothing_twice() {
    let bench = Bench::new().await;
    let (one, other) = (bench.relay(), bench.relay());
    bench.until(60 * SECOND, async || one.stats().leads == 8 && other.stats().leads == 8).await;
    (0..50).for_each(|key| bench.write(&format!("k{key}"), 1..=20));
    bench.drained(10 * SECOND).await;
    let stored = bench.stored(STREAM).await;
    (0..50).for_each(|key| assert_eq!(of(&format!("k{key}"), &stored), ids(&format!("k{key}"), 1..=20)));
    let (one, other) = (one.end().await, other.end().await);
    assert!(one.published > 100 && other.published > 100, "{one:?} {other:?}");
    assert_eq!((one.published + other.published, one.duplicates + other.duplicates), (1_000, 0));
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_joins_has_its_part_also_when_everything_is_busy() {
    let bench = Bench::new().await;
    let one = bench.relay();
    bench.until(SECOND, async || one.stats().leads == 16).await;
    let other = bench.relay();
    for number in 1..=600 {
        (0..40).for_each(|key| bench.write(&format!("k{key}"), number..=number));
        tokio::time::sleep(SECOND / 20).await;
    }
    assert_eq!((one.stats().leads, other.stats().leads), (8, 8));
    bench.drained(10 * SECOND).await;
    assert_eq!(one.end().await.duplicates + other.end().await.duplicates, 0);
}

#[tokio::test(start_paused = true)]
async fn past_its_fence_a_relay_publishes_nothing_and_another_takes_over() {
    let bench = Bench::new().await;
    let cut = Faulty::new(&bench.store);
    let old = bench.relay_of(Arc::new(cut.clone()));
    bench.until(SECOND, async || old.stats().leads == 16).await;
    let new = bench.relay();
    cut.faults.lead.store(ALWAYS, Ordering::SeqCst);
    let mut at_the_fence = 0;
    for number in 1..=200 {
        bench.write(&format!("k{}", number % 7), number..=number);
        tokio::time::sleep(SECOND / 10).await;
        if number == 71 {
            at_the_fence = old.stats().published;
        }
    }
    bench.drained(2 * SECOND).await;
    assert!(at_the_fence > 30, "{at_the_fence}");
    assert_eq!(old.stats().published, at_the_fence);
    assert!(old.board.problems().iter().any(|problem| problem.contains("the database is away")));
    let (old, new) = (old.end().await, new.end().await);
    assert_eq!((old.published + new.published, old.duplicates + new.duplicates), (200, 0));
}

#[tokio::test(start_paused = true)]
async fn what_was_claimed_and_never_heard_of_is_published() {
    let bench = Bench::new().await;
    let cut = Faulty::new(&bench.store);
    cut.faults.claim.store(3, Ordering::SeqCst);
    let relay = bench.relay_of(Arc::new(cut));
    (0..5).for_each(|key| bench.write(&format!("k{key}"), 1..=10));
    bench.drained(5 * SECOND).await;
    let stored = bench.stored(STREAM).await;
    (0..5).for_each(|key| assert_eq!(of(&format!("k{key}"), &stored), ids(&format!("k{key}"), 1..=10)));
    assert_eq!(relay.end().await.published, 50);
}

#[tokio::test(start_paused = true)]
async fn answers_that_cannot_be_written_down_are_kept_until_they_can() {
    let bench = Bench::new().await;
    let cut = Faulty::new(&bench.store);
    cut.faults.settle.store(5, Ordering::SeqCst);
    let relay = bench.relay_of(Arc::new(cut));
    (0..5).for_each(|key| bench.write(&format!("k{key}"), 1..=100));
    bench.drained(20 * SECOND).await;
    let stats = relay.end().await;
    assert_eq!((stats.published, stats.duplicates), (500, 0));
}

#[tokio::test(start_paused = true)]
async fn a_drain_leaves_nothing_in_hand_and_nobody_waits_for_the_lease() {
    let bench = Bench::new().await;
    (0..5).for_each(|key| bench.write(&format!("k{key}"), 1..=100));
    let first = bench.relay();
    // No time passes: it is in the middle of its work.
    while first.stats().published == 0 {
        tokio::task::yield_now().await;
    }
    let begun = bench.clock.monotonic();
    let first = first.end().await;
    assert!(bench.clock.monotonic() - begun < SECOND && first.published < 500, "{first:?}");
    let second = bench.relay();
    bench.drained(SECOND).await;
    let second = second.end().await;
    assert_eq!((first.published + second.published, first.duplicates + second.duplicates), (500, 0));
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_leaves_the_outbox_after_its_time() {
    let mut bench = Bench::new().await;
    bench.config.stores.outbox_retention = 100 * SECOND;
    bench.write("a", 1..=10);
    let relay = bench.relay();
    bench.drained(SECOND).await;
    let rows = || format!("{:?}", bench.store);
    assert!(rows().contains("messages: 10"), "{}", rows());
    tokio::time::sleep(105 * SECOND).await;
    assert!(rows().contains("messages: 0"), "{}", rows());
    relay.end().await;
}
