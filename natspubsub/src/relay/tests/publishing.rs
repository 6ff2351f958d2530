//! Goal: everything leaves in the order of its key, what cannot leave keeps nobody else, nothing is counted that is not the
//! message's fault.

use serde_json::json;

use super::*;

#[tokio::test(start_paused = true)]
async fn everything_is_published_once_in_the_order_of_its_key() {
    let bench = Bench::new().await;
    let relay = bench.relay();
    let keys: Vec<String> = (0..20).map(|key| format!("k{key}")).collect();
    for from in [1, 51] {
        keys.iter().for_each(|key| bench.write(key, from..=from + 49));
        tokio::time::sleep(SECOND).await;
    }
    bench.drained(SECOND).await;
    let stored = bench.stored(STREAM).await;
    assert_eq!(stored.len(), 2_000);
    keys.iter().for_each(|key| assert_eq!(of(key, &stored), ids(key, 1..=100)));
    let stats = relay.end().await;
    assert_eq!((stats.published, stats.duplicates, stats.retried, stats.failed), (2_000, 0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_message_waits_keeps_its_order_and_nobody_else() {
    let bench = Bench::new().await;
    bench.store.write([message("slow", 1, "elsewhere.a")]);
    bench.write("slow", 2..=30);
    bench.write("quick", 1..=30);
    let relay = bench.relay();
    bench.until(SECOND, async || bench.stored(STREAM).await.len() == 30).await;
    assert_eq!(bench.stored(STREAM).await, ids("quick", 1..=30));
    bench.make_stream("ELSEWHERE", "elsewhere.>").await;
    bench.drained(3 * SECOND).await;
    assert_eq!(bench.stored("ELSEWHERE").await, ["slow-1"]);
    assert_eq!(of("slow", &bench.stored(STREAM).await), ids("slow", 2..=30));
    let stats = relay.end().await;
    assert_eq!((stats.published, stats.duplicates, stats.failed), (60, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_can_never_be_stored_fails_with_a_reason_and_those_behind_it_go_on() {
    let bench = Bench::new().await;
    let mut large = message("large", 1, "test.orders.large");
    large.body = vec![0; 2 << 20].into();
    bench.store.write([message("white", 1, "test.orders.a b"), large, message("nowhere", 1, "nowhere.a")]);
    ["white", "large", "nowhere"].iter().for_each(|key| bench.write(key, 2..=10));
    let relay = bench.relay();
    bench.until(2 * SECOND, async || bench.stored(STREAM).await.len() == 18).await;
    bench.drained(10 * SECOND).await;
    assert_eq!(bench.stored(STREAM).await.len(), 27);
    let failed = bench.store.failed_messages(10).await.unwrap();
    let told: Vec<(&str, u32, &str)> =
        failed.iter().map(|failed| (failed.event_id.as_str(), failed.attempts, failed.error.as_str())).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].2.starts_with("its subject cannot be published to: "), "{told:?}");
    assert!(
        told[1].2.starts_with("it has 2097184 bytes, and the server takes 1048576")
            || told[1].2.contains("max_payload"),
        "{told:?}"
    );
    assert_eq!(told[2], ("nowhere-1", 3, "no stream takes nowhere.a; make one that does, and try again"));
    tokio::time::sleep(6 * SECOND).await;
    let problems = relay.board.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("3 message(s) in the outbox are failed"), "{problems:?}");
    assert_eq!(relay.end().await.failed, 3);
}

#[tokio::test(start_paused = true)]
async fn a_missing_stream_of_its_own_pauses_everybody_and_counts_nothing() {
    let bench = Bench::bare().await;
    let relay = bench.relay();
    (0..10).for_each(|key| bench.write(&format!("k{key}"), 1..=30));
    tokio::time::sleep(60 * SECOND).await;
    let stats = relay.stats();
    assert_eq!((stats.published, stats.pending), (0, 300));
    assert!((10..60).contains(&stats.retried), "one message tries from time to time: {stats:?}");
    let told = "the relay of the outbox is paused: no stream takes test.orders.order.created, or its leader is missing";
    assert!(relay.board.problems().contains(&told.to_owned()), "{:?}", relay.board.problems());
    bench.make_stream(STREAM, "test.orders.>").await;
    bench.drained(15 * SECOND).await;
    let stored = bench.stored(STREAM).await;
    (0..10).for_each(|key| assert_eq!(of(&format!("k{key}"), &stored), ids(&format!("k{key}"), 1..=30)));
    let stats = relay.end().await;
    assert_eq!((stats.published, stats.duplicates, stats.failed), (300, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_full_stream_fails_nothing() {
    let bench = Bench::bare().await;
    let config = json!({ "name": STREAM, "subjects": ["test.orders.>"], "max_msgs": 10, "discard": "new" });
    bench.broker.create_stream(config.as_object().unwrap()).await.unwrap();
    bench.write("a", 1..=25);
    bench.write("b", 1..=25);
    let relay = bench.relay();
    let mut all = Vec::new();
    for _ in 0..5 {
        bench.until(20 * SECOND, async || bench.stored(STREAM).await.len() == 10).await;
        tokio::time::sleep(20 * SECOND).await;
        all.extend(bench.stored(STREAM).await);
        bench.broker.purge(STREAM, "test.orders.order.created").await.unwrap();
    }
    bench.drained(20 * SECOND).await;
    assert_eq!((of("a", &all), of("b", &all)), (ids("a", 1..=25), ids("b", 1..=25)));
    assert_eq!(relay.end().await.failed, 0);
}

#[tokio::test(start_paused = true)]
async fn one_subject_that_is_refused_for_everybody_does_not_keep_the_others() {
    let bench = Bench::new().await;
    let full = json!({ "name": "FULL", "subjects": ["full.>"], "max_msgs": 1, "discard": "new" });
    bench.broker.create_stream(full.as_object().unwrap()).await.unwrap();
    bench.store.write([message("full", 1, "full.a"), message("full", 2, "full.a")]);
    bench.write("a", 1..=100);
    let relay = bench.relay();
    bench.until(10 * SECOND, async || bench.stored(STREAM).await.len() == 100).await;
    bench.broker.purge("FULL", "full.a").await.unwrap();
    bench.drained(30 * SECOND).await;
    assert_eq!(relay.end().await.failed, 0);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_message_leaves_when_its_time_has_come() {
    let bench = Bench::new().await;
    let mut late = message("a", 1, "test.orders.order.created");
    late.delay = 30 * SECOND;
    bench.store.write([late]);
    bench.write("a", 2..=3);
    let relay = bench.relay();
    tokio::time::sleep(29 * SECOND).await;
    assert_eq!(bench.stored(STREAM).await, ids("a", 2..=3));
    bench.drained(3 * SECOND).await;
    assert_eq!(bench.stored(STREAM).await, ["a-2", "a-3", "a-1"]);
    relay.end().await;
}
