//! Goal: each fault is what its name says, and the same for the same seed. Method: a process on the memory broker, in
//! virtual time.

use std::time::Duration;

use super::Profile;
use super::fixture::{Bench, CONSUMER, STREAM};
use crate::transport::{Answer, PublishFault};

const SECOND: Duration = Duration::from_secs(1);

fn numbers(taken: &[(u64, u64, String)]) -> Vec<(u64, u64)> {
    taken.iter().map(|(sequence, deliveries, _)| (*sequence, *deliveries)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_lost_acknowledgement_never_reaches_the_broker() {
    let bench = Bench::new("faults-lose", 1, Profile::none().lose_ack(1.0)).await;
    bench.store(1).await;
    let taken = bench.take(1, SECOND).await;
    bench.transport.answer(&taken[0].2, Answer::Ack).await.unwrap();
    bench.transport.flush(STREAM, SECOND).await.unwrap();
    assert_eq!(numbers(&bench.take(1, SECOND * 3).await), [(1, 2)], "it comes again after ack_wait");
    assert_eq!(bench.lines("fault lose-ack S c 1#1 ack"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_without_room_is_not_sent() {
    let bench = Bench::new("faults-no-room", 1, Profile::none().no_room(1.0)).await;
    bench.store(1).await;
    let taken = bench.take(1, SECOND).await;
    assert!(bench.transport.acknowledge(&taken[0].2).is_none());
    assert_eq!(bench.lines("fault no-room S c 1#1"), 1);
    // What may wait is sent all the same.
    bench.transport.answer(&taken[0].2, Answer::Ack).await.unwrap();
    bench.transport.flush(STREAM, SECOND).await.unwrap();
    assert!(bench.take(1, SECOND * 3).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_acknowledgement_makes_the_message_come_again_at_once() {
    let bench = Bench::new("faults-duplicate", 1, Profile::none().duplicate(1.0)).await;
    bench.store(1).await;
    let taken = bench.take(1, SECOND).await;
    bench.transport.answer(&taken[0].2, Answer::Ack).await.unwrap();
    assert_eq!(numbers(&bench.take(1, SECOND).await), [(1, 2)]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_certain_after_a_flush_and_lost_when_the_process_ends_without_one() {
    for flushes in [true, false] {
        let mut bench = Bench::new("faults-flush", 3, Profile::none().delay(SECOND / 10)).await;
        bench.store(1).await;
        let taken = bench.take(1, SECOND).await;
        bench.transport.answer(&taken[0].2, Answer::Ack).await.unwrap();
        if flushes {
            bench.transport.flush(STREAM, SECOND).await.unwrap();
        }
        bench.life.end();
        bench.restart();
        let again = bench.take(1, SECOND * 3).await;
        assert_eq!(again.is_empty(), flushes, "{again:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_is_told_and_nothing_reaches_the_broker_after_it() {
    let mut bench = Bench::new("faults-crash", 1, Profile::none().crash_after_handler(1.0)).await;
    bench.store(1).await;
    let taken = bench.take(1, SECOND).await;
    let answer = bench.transport.answer(&taken[0].2, Answer::Ack);
    assert!(tokio::time::timeout(SECOND, answer).await.is_err(), "it pends for ever");
    bench.life.happened().await;
    let message = Bench::message(2);
    let publish = bench.transport.publish(0, &message, SECOND);
    assert!(tokio::time::timeout(SECOND, publish).await.is_err());
    assert!(bench.broker.stored(STREAM, 2).await.unwrap().is_none());
    bench.restart();
    assert_eq!(numbers(&bench.take(1, SECOND * 3).await), [(1, 2)]);
    assert_eq!(bench.lines("crash after-handler S c 1#1"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_process_can_die_before_in_and_after_its_handler() {
    let profiles = [
        ("before-handler", Profile::none().crash_before_handler(1.0)),
        ("in-handler", Profile::none().crash_in_handler(1.0)),
        ("after-answer", Profile::none().crash_after_answer(1.0)),
    ];
    for (when, profile) in profiles {
        let bench = Bench::new("faults-crashes", 1, profile).await;
        bench.store(1).await;
        let work = async {
            let taken = bench.take(1, SECOND).await;
            tokio::time::sleep(SECOND / 2).await;
            bench.transport.answer(&taken[0].2, Answer::Ack).await.unwrap();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = bench.life.happened() => {}
            () = work => {}
        }
        assert_eq!(bench.lines(&format!("crash {when}")), 1, "{}", bench.faults.trace());
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_loses_what_is_on_its_way_and_ends() {
    let bench = Bench::new("faults-partition", 5, Profile::none().partition(SECOND * 10, SECOND * 8)).await;
    bench.store(1).await;
    let taken = bench.take(1, SECOND).await;
    let made = bench.transport.connections_made();
    let begins = bench.faults.partition.changes_at(bench.faults.clock.monotonic()).unwrap();
    tokio::time::sleep(begins - bench.faults.clock.monotonic()).await;
    assert!(!bench.transport.is_connected());
    bench.transport.answer(&taken[0].2, Answer::Ack).await.unwrap();
    assert!(bench.transport.flush(STREAM, SECOND / 10).await.is_err());
    let publish = bench.transport.publish(0, &Bench::message(2), SECOND / 10).await;
    assert_eq!(publish, Err(PublishFault::NotConnected(SECOND / 10)));
    assert!(bench.transport.hand_over(0, &Bench::message(2), SECOND).is_none());
    assert!(bench.transport.in_progress(&[taken[0].2.clone()]).await.is_err());
    bench.transport.flush(STREAM, SECOND * 10).await.unwrap();
    assert_eq!(bench.transport.connections_made(), made + 1);
    assert_eq!(numbers(&bench.take(1, SECOND * 3).await), [(1, 2)], "the answer was lost");
}

#[tokio::test(start_paused = true)]
async fn a_pull_survives_partitions() {
    let profile = Profile::none().partition(SECOND * 4, SECOND * 2).delay(SECOND / 20);
    let bench = Bench::new("faults-pull", 2, profile).await;
    bench.store(3).await;
    let seen = bench.take(20, SECOND * 60).await;
    let all: std::collections::BTreeSet<u64> = seen.iter().map(|(sequence, ..)| *sequence).collect();
    assert_eq!(all.len(), 3, "{seen:?}");
    assert!(bench.lines("fault partition S c") >= 2, "{}", bench.faults.trace());
}

#[tokio::test(start_paused = true)]
async fn a_publish_in_doubt_is_stored_or_not() {
    let bench = Bench::new("faults-unknown", 1, Profile::none().unknown_publish(1.0)).await;
    for number in 1..=20 {
        let published = bench.transport.publish(0, &Bench::message(number), SECOND).await;
        assert!(matches!(published, Err(PublishFault::Unknown(_))), "{published:?}");
    }
    let stored = bench.lines(" store a.b");
    assert!((4..=16).contains(&stored), "{stored} of 20");
}

#[tokio::test(start_paused = true)]
async fn a_full_stream_refuses_for_a_while() {
    let bench = Bench::new("faults-full", 1, Profile::none().full_stream(SECOND * 4, SECOND * 2)).await;
    let mut refused = 0;
    for number in 1..=100 {
        tokio::time::sleep(SECOND / 10).await;
        match bench.transport.publish(0, &Bench::message(number), SECOND).await {
            Ok(_) => {}
            Err(PublishFault::Rejected(text)) if text.ends_with("(10077)") => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!((5..=80).contains(&refused), "{refused} of 100");
}

#[tokio::test(start_paused = true)]
async fn deaf_signals_let_the_message_come_again_and_its_first_answer_is_stale() {
    let profile = Profile::none().deaf_signals(Duration::from_micros(1), SECOND * 600);
    let bench = Bench::new("faults-deaf", 1, profile).await;
    tokio::time::sleep(SECOND).await;
    bench.store(1).await;
    let taken = bench.take(1, SECOND).await;
    assert!(bench.transport.in_progress(&[taken[0].2.clone()]).await.is_err());
    assert_eq!(numbers(&bench.take(1, SECOND * 3).await), [(1, 2)]);
    bench.transport.answer(&taken[0].2, Answer::Nak(Duration::ZERO)).await.unwrap();
    bench.transport.flush(STREAM, SECOND).await.unwrap();
    assert_eq!(bench.lines("answer stale S c 1#1 nak 0ms"), 1);
}

/// The numbers of 30 deliveries, and how often the trace says that one was overtaken.
async fn reordered(name: &str, profile: Profile) -> (Vec<u64>, usize) {
    let bench = Bench::new(name, 4, profile).await;
    bench.store(30).await;
    let taken = bench.take(30, SECOND * 10).await.into_iter().map(|(sequence, ..)| sequence).collect();
    (taken, bench.lines("fault reorder"))
}

#[tokio::test(start_paused = true)]
async fn each_reordered_delivery_is_overtaken() {
    let profile = Profile::none().delay(SECOND / 10);
    let (taken, lines) = reordered("faults-reorder", profile.clone().reorder(0.3)).await;
    let overtaken = |(index, sequence): &(usize, &u64)| taken[..*index].iter().any(|before| before > *sequence);
    assert_eq!(taken.iter().enumerate().filter(overtaken).count(), lines, "{taken:?}");
    assert!((4..=15).contains(&lines) && taken.len() == 30, "{lines} of {taken:?}");
    let in_order = ((1..=30).collect::<Vec<_>>(), 0);
    assert_eq!(reordered("faults-reorder-all", profile.reorder(1.0)).await, in_order, "none is left to overtake");
    assert_eq!(reordered("faults-reorder-none", Profile::none().reorder(0.3)).await, in_order, "without a delay");
}

#[tokio::test(start_paused = true)]
async fn deliveries_trickle_for_a_while() {
    let profile = Profile::none().slow_consumer(Duration::from_micros(1), SECOND * 600);
    let bench = Bench::new("faults-slow", 4, profile).await;
    tokio::time::sleep(SECOND).await;
    assert_eq!(bench.lines("fault slow-consumer"), 0, "there is nothing to slow down");
    bench.store(30).await;
    let taken = bench.take(30, SECOND).await.len();
    assert!((2..15).contains(&taken), "{taken} in a second");
    assert_eq!(bench.lines("fault slow-consumer S c"), 1, "{}", bench.faults.trace());
}

#[tokio::test(start_paused = true)]
async fn a_partition_loses_what_nobody_stores_and_nobody_learns_it() {
    let bench = Bench::new("faults-core", 5, Profile::none().partition(SECOND * 10, SECOND * 8)).await;
    let mut listener = bench.broker.subscribe("b.c", None).await.unwrap();
    let message = |body: &'static str| crate::transport::Outbound {
        subject: "b.c".into(),
        headers: Default::default(),
        body: body.into(),
    };
    bench.transport.publish_core(0, message("before")).await.unwrap();
    let now = bench.faults.clock.monotonic();
    let begins = bench.faults.partition.changes_at(now).unwrap();
    tokio::time::sleep(begins - now).await;
    let broken = bench.faults.clock.monotonic();
    bench.transport.publish_core(0, message("lost")).await.unwrap();
    assert_eq!(bench.faults.clock.monotonic(), broken, "at once");
    assert_eq!(bench.lines("fault lost-core b.c"), 1);
    bench.transport.flush(STREAM, SECOND * 10).await.unwrap();
    bench.transport.publish_core(0, message("after")).await.unwrap();
    for wanted in ["before", "after"] {
        assert_eq!(&listener.next().await.unwrap().message.body[..], wanted.as_bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_is_deleted_under_its_pull() {
    let bench = Bench::new("faults-delete", 4, Profile::none().delete_consumer(1.0)).await;
    bench.store(1).await;
    assert!(bench.take(1, SECOND).await.is_empty());
    assert!(bench.broker.consumer(STREAM, CONSUMER).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn without_faults_everything_arrives_at_once() {
    let bench = Bench::new("faults-none", 4, Profile::none()).await;
    bench.transport.publish(0, &Bench::message(1), SECOND).await.unwrap();
    bench.transport.hand_over(0, &Bench::message(2), SECOND).unwrap().await.unwrap();
    for (_, _, token) in bench.take(2, SECOND).await {
        bench.transport.answer(&token, Answer::Ack).await.unwrap();
    }
    bench.transport.flush(STREAM, SECOND).await.unwrap();
    assert_eq!(bench.faults.clock.monotonic(), Duration::ZERO);
    let state = bench.broker.consumer_state(STREAM, CONSUMER).await.unwrap().unwrap();
    assert_eq!((state.answered, state.unanswered), (2, 0));
}

/// What one seed does to one small piece of work.
async fn traced(name: &str, seed: u64) -> String {
    let mut bench = Bench::new(name, seed, Profile::harsh()).await;
    let mut number = 0;
    for _ in 0..10 {
        for _ in 0..5 {
            number += 1;
            let _ =
                tokio::time::timeout(SECOND * 10, bench.transport.publish(0, &Bench::message(number), SECOND)).await;
        }
        let Ok(taken) = tokio::time::timeout(SECOND * 10, bench.take(5, SECOND * 5)).await else {
            bench.restart();
            continue;
        };
        for (_, _, token) in taken {
            let _ = tokio::time::timeout(SECOND, bench.transport.answer(&token, Answer::Ack)).await;
        }
        if bench.life.is_dead() {
            bench.restart();
        }
    }
    bench.faults.heal();
    bench.faults.trace().to_string()
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    for seed in 0..5 {
        let one = traced("faults-same-1", seed).await;
        let other = traced("faults-same-2", seed).await;
        assert_eq!(one, other);
        assert!(one.contains("fault"), "{one}");
        assert_ne!(one, traced("faults-same-3", seed + 100).await);
    }
}
