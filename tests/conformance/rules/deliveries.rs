//! Goal: when a message is delivered again, and how often.

use std::time::{Duration, Instant};

use natspubsub::__port::Event;
use serde_json::{Value, json};

use crate::broker::{Broker, S, ms, stream};
use crate::taker::{LIMIT, Taker};

cases! {
    unanswered_after_ack_wait,
    in_progress_restarts_ack_wait,
    backoff_sets_the_wait_of_each_delivery,
    nak_is_delivered_at_once,
    nak_with_a_delay,
    what_is_due_comes_before_new_messages,
    term_ends_a_message,
    an_answered_message_never_comes_again,
    an_open_request_gets_what_is_due,
    no_more_than_max_ack_pending,
    what_leaves_makes_room_for_the_next,
    a_purge_makes_room_for_the_next_request,
    no_more_than_max_deliver,
    exhausted_messages_are_told: Advisories,
    deliveries_count_for_each_consumer,
    a_longer_ack_wait_counts_for_later_deliveries,
    a_deleted_message_is_not_delivered_again,
}

/// A stream with one message, and a consumer of it.
async fn one(broker: &Broker, fields: Value) -> Taker {
    broker.make_stream(json!({})).await;
    broker.put("a.b").await;
    broker.taker("c", fields).await
}

/// Checks that the next delivery is of the first message, the count given, and comes after some milliseconds.
async fn again(taker: &mut Taker, deliveries: u64, since: Instant, after: u128) -> natspubsub::__port::Delivery {
    let delivery = taker.take().await;
    let took = since.elapsed().as_millis();
    assert_eq!((delivery.sequence, delivery.deliveries), (1, deliveries));
    assert!((after..after + 1_500).contains(&(took + 20)), "after {took} ms instead of {after}");
    delivery
}

async fn unanswered_after_ack_wait(broker: Broker) {
    let mut c = one(&broker, json!({ "ack_wait": ms(400) })).await;
    // From the beginning: a delivery that is seen late makes the next one seem early.
    let since = Instant::now();
    for (deliveries, after) in [(1, 0), (2, 400), (3, 800)] {
        again(&mut c, deliveries, since, after).await;
    }
}

async fn in_progress_restarts_ack_wait(broker: Broker) {
    let mut c = one(&broker, json!({ "ack_wait": ms(500) })).await;
    let delivery = c.take().await;
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(1_200) {
        assert!(c.within(Duration::from_millis(100)).await.is_none(), "after {:?}", since.elapsed());
        broker.in_progress(&delivery).await.unwrap();
    }
    again(&mut c, 2, Instant::now(), 400).await;
}

async fn backoff_sets_the_wait_of_each_delivery(broker: Broker) {
    let mut c = one(&broker, json!({ "backoff": [ms(200), ms(600)], "max_deliver": 4 })).await;
    let since = Instant::now();
    for (deliveries, after) in [(1, 0), (2, 200), (3, 800), (4, 1_400)] {
        again(&mut c, deliveries, since, after).await;
    }
}

async fn nak_is_delivered_at_once(broker: Broker) {
    let mut c = one(&broker, json!({})).await;
    for deliveries in 1..=4 {
        let delivery = again(&mut c, deliveries, Instant::now(), 0).await;
        broker.nak(&delivery, Duration::ZERO).await.unwrap();
    }
}

async fn nak_with_a_delay(broker: Broker) {
    let mut c = one(&broker, json!({})).await;
    let delivery = c.take().await;
    broker.nak(&delivery, Duration::from_millis(500)).await.unwrap();
    let since = Instant::now();
    c.nothing().await;
    again(&mut c, 2, since, 500).await;
}

async fn what_is_due_comes_before_new_messages(broker: Broker) {
    let mut c = one(&broker, json!({ "ack_wait": ms(100) })).await;
    for _ in 0..3 {
        broker.put("a.b").await;
    }
    c.take().await;
    // Nobody asks until the first one is due.
    c.nobody_comes().await;
    c.nobody_comes().await;
    assert_eq!(c.all().await, [1, 2, 3, 4]);
}

async fn term_ends_a_message(broker: Broker) {
    let mut c = one(&broker, json!({ "ack_wait": ms(100) })).await;
    broker.term(&c.take().await).await.unwrap();
    c.nothing().await;
    let state = broker.consumer_state(S, "c").await.unwrap().unwrap();
    assert_eq!((state.answered, state.unanswered), (1, 0));
    assert_eq!(broker.held().await, [1]);
}

async fn an_answered_message_never_comes_again(broker: Broker) {
    let mut c = one(&broker, json!({ "ack_wait": ms(100) })).await;
    broker.ack(&c.take().await).await.unwrap();
    c.nothing().await;
    c.nothing().await;
}

async fn an_open_request_gets_what_is_due(broker: Broker) {
    let mut c = one(&broker, json!({ "ack_wait": ms(300) })).await;
    c.pull.request(2, Duration::from_secs(5)).await.unwrap();
    for deliveries in 1..=2 {
        let Event::Delivery(delivery) = c.event().await else { panic!("a delivery") };
        assert_eq!((delivery.sequence, delivery.deliveries), (1, deliveries));
    }
}

async fn no_more_than_max_ack_pending(broker: Broker) {
    let mut c = one(&broker, json!({ "max_ack_pending": 2 })).await;
    for _ in 0..3 {
        broker.put("a.b").await;
    }
    let (first, second) = (c.take().await, c.take().await);
    assert_eq!((first.sequence, second.sequence), (1, 2));
    c.nothing().await;
    assert_eq!(broker.progress(S, "c").await.unwrap().unwrap().backlog, 0, "none that could be delivered");
    broker.confirm(&second).await.unwrap();
    let third = c.take().await;
    assert_eq!(third.sequence, 3);
    c.nothing().await;
    broker.nak(&first, Duration::ZERO).await.unwrap();
    assert_eq!(c.take().await.deliveries, 2, "a redelivery needs no room");
}

async fn no_more_than_max_deliver(broker: Broker) {
    let mut c = one(&broker, json!({ "max_deliver": 2, "ack_wait": ms(150) })).await;
    broker.put("a.b").await;
    let mut taken = Vec::new();
    while let Some(delivery) = c.within(Duration::from_millis(600)).await {
        taken.push((delivery.sequence, delivery.deliveries));
    }
    taken.sort_unstable();
    assert_eq!(taken, [(1, 1), (1, 2), (2, 1), (2, 2)]);
    let state = broker.consumer_state(S, "c").await.unwrap().unwrap();
    assert_eq!(state.unanswered, 0, "given up");
    assert_eq!(broker.held().await, [1, 2]);
}

async fn what_leaves_makes_room_for_the_next(broker: Broker) {
    for cause in ["max_msgs", "max_msgs_per_subject", "delete", "update", "max_age"] {
        let limit = match cause {
            "max_msgs" => json!({ "max_msgs": 2 }),
            "max_msgs_per_subject" => json!({ "max_msgs_per_subject": 1 }),
            "max_age" => json!({ "max_age": ms(1_200) }),
            _ => json!({}),
        };
        broker.make_stream(limit).await;
        broker.put("a.x.1").await;
        let fields = json!({ "filter_subject": "a.x.*", "max_ack_pending": 1, "ack_wait": ms(60_000) });
        let mut c = broker.taker("c", fields).await;
        assert_eq!(c.take().await.sequence, 1);
        if cause == "max_age" {
            // The second one outlives the first.
            for _ in 0..4 {
                c.nobody_comes().await;
            }
        }
        broker.put("a.x.2").await;
        c.pull.request(1, LIMIT).await.unwrap();
        c.nobody_comes().await;
        // Whoever waits already is told.
        let happens = async {
            match cause {
                "max_msgs" => assert_eq!(broker.put("a.y.1").await, 3),
                "max_msgs_per_subject" => assert_eq!(broker.put("a.x.1").await, 3),
                "delete" => broker.delete_message(S, 1).await.unwrap(),
                "update" => broker.update_stream(stream(json!({ "max_msgs": 1 }))).await.unwrap(),
                _ => {}
            }
        };
        let (next, ()) = futures::join!(c.event(), happens);
        assert!(matches!(&next, Event::Delivery(next) if next.sequence == 2), "{cause}: {next:?}");
        broker.delete_stream(S).await.unwrap();
    }
}

async fn a_purge_makes_room_for_the_next_request(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.put("a.x.1").await;
    broker.put("a.x.2").await;
    let mut c = broker.taker("c", json!({ "max_ack_pending": 1, "ack_wait": ms(60_000) })).await;
    assert_eq!(c.take().await.sequence, 1);
    c.nothing().await;
    broker.purge(S, "a.x.1").await.unwrap();
    assert_eq!(c.take().await.sequence, 2);
}

async fn exhausted_messages_are_told(broker: Broker) {
    let subject = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.S.c";
    broker.create_stream(stream(json!({ "name": "A", "subjects": [subject] }))).await.unwrap();
    let mut c = one(&broker, json!({ "max_deliver": 2 })).await;
    for _ in 0..2 {
        broker.nak(&c.take().await, Duration::ZERO).await.unwrap();
    }
    c.nothing().await;
    let told = natspubsub_tests::eventually("an advisory", LIMIT, async || broker.stored("A", 1).await.unwrap());
    let told = told.await;
    assert_eq!(told.subject, subject);
    let body: Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!((&body["stream"], &body["consumer"]), (&json!("S"), &json!("c")));
    assert_eq!((&body["stream_seq"], &body["deliveries"]), (&json!(1), &json!(2)));
}

async fn deliveries_count_for_each_consumer(broker: Broker) {
    let mut c = one(&broker, json!({})).await;
    let mut d = broker.taker("d", json!({})).await;
    broker.nak(&c.take().await, Duration::ZERO).await.unwrap();
    assert_eq!((c.take().await.deliveries, d.take().await.deliveries), (2, 1));
}

async fn a_longer_ack_wait_counts_for_later_deliveries(broker: Broker) {
    let mut c = one(&broker, json!({ "ack_wait": ms(200) })).await;
    let since = Instant::now();
    again(&mut c, 1, since, 0).await;
    again(&mut c, 2, since, 200).await;
    let longer = crate::broker::consumer("c", json!({ "ack_wait": ms(900) }));
    broker.update_consumer(S, longer).await.unwrap();
    let third = c.take().await;
    assert_eq!(third.deliveries, 3);
    // The third came after 400 ms at the earliest.
    again(&mut c, 4, since, 1_300).await;
}

async fn a_deleted_message_is_not_delivered_again(broker: Broker) {
    let mut c = one(&broker, json!({ "ack_wait": ms(200) })).await;
    broker.put("a.b").await;
    c.take().await;
    broker.delete_message(S, 1).await.unwrap();
    assert_eq!(c.all().await, [2]);
    assert!(c.within(Duration::from_millis(500)).await.is_none());
}
