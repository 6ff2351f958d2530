//! Goal: what a pull tells, and what becomes of it when its consumer goes.

use std::time::{Duration, Instant};

use natspubsub::__port::Event;
use natspubsub_tests::eventually;
use serde_json::json;

use crate::broker::{Broker, S, ms};
use crate::taker::{LIMIT, Taker};

cases! {
    a_request_ends_unfilled,
    a_request_is_filled_by_later_messages,
    a_request_brings_no_more_than_it_asks_for,
    what_is_filled_in_part_ends_with_the_rest,
    two_pulls_share_a_consumer,
    open_requests_are_counted,
    a_consumer_deleted_during_a_pull,
    a_stream_deleted_during_a_pull,
    a_pull_of_a_missing_consumer,
    a_pull_that_is_stopped_gets_nothing_more,
    an_unused_consumer_goes_away,
    a_used_consumer_stays,
    deliveries_carry_everything,
    an_ephemeral_consumer_delivers,
}

async fn a_request_ends_unfilled(broker: Broker) {
    broker.make_stream(json!({})).await;
    let mut c = broker.taker("c", json!({})).await;
    let start = Instant::now();
    c.pull.request(5, Duration::from_millis(300)).await.unwrap();
    assert!(matches!(c.event().await, Event::Ended(5)));
    let took = start.elapsed().as_millis();
    assert!((250..1_500).contains(&took), "{took} ms");
}

async fn a_request_is_filled_by_later_messages(broker: Broker) {
    broker.make_stream(json!({})).await;
    let mut c = broker.taker("c", json!({})).await;
    c.pull.request(2, LIMIT).await.unwrap();
    for number in 1..=2 {
        broker.put("a.b").await;
        let Event::Delivery(delivery) = c.event().await else { panic!("a delivery") };
        assert_eq!(delivery.sequence, number);
    }
}

async fn a_request_brings_no_more_than_it_asks_for(broker: Broker) {
    broker.make_stream(json!({})).await;
    for _ in 0..3 {
        broker.put("a.b").await;
    }
    let mut c = broker.taker("c", json!({})).await;
    c.pull.request(2, LIMIT).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(c.event().await, Event::Delivery(_)));
    }
    let more = c.pull.next(Duration::from_millis(150)).await;
    assert!(!matches!(more, Some(Event::Delivery(_))), "{more:?}");
}

async fn what_is_filled_in_part_ends_with_the_rest(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.put("a.b").await;
    let mut c = broker.taker("c", json!({})).await;
    c.pull.request(3, Duration::from_millis(300)).await.unwrap();
    assert!(matches!(c.event().await, Event::Delivery(_)));
    let end = c.event().await;
    assert!(matches!(end, Event::Ended(2)), "{end:?}");
}

async fn two_pulls_share_a_consumer(broker: Broker) {
    broker.make_stream(json!({})).await;
    let mut one = broker.taker("c", json!({})).await;
    let mut other = Taker::open(&broker.second().await, S, "c").await;
    for _ in 0..4 {
        broker.put("a.b").await;
    }
    let mut taken = Vec::new();
    for _ in 0..2 {
        taken.push(one.done().await);
        taken.push(other.done().await);
    }
    taken.sort_unstable();
    assert_eq!(taken, [1, 2, 3, 4]);
}

async fn open_requests_are_counted(broker: Broker) {
    broker.make_stream(json!({})).await;
    let mut c = broker.taker("c", json!({})).await;
    let waiting = async |wanted: u64| {
        let what = format!("{wanted} open requests");
        eventually(&what, LIMIT, async || {
            (broker.consumer_state(S, "c").await.unwrap().unwrap().waiting == wanted).then_some(())
        })
        .await;
    };
    waiting(0).await;
    c.pull.request(1, Duration::from_secs(2)).await.unwrap();
    c.pull.request(1, Duration::from_secs(2)).await.unwrap();
    waiting(2).await;
    broker.put("a.b").await;
    waiting(1).await;
}

async fn a_consumer_deleted_during_a_pull(broker: Broker) {
    broker.make_stream(json!({})).await;
    let mut c = broker.taker("c", json!({})).await;
    c.pull.request(1, LIMIT).await.unwrap();
    c.nobody_comes().await;
    broker.delete_consumer(S, "c").await.unwrap();
    let start = Instant::now();
    assert!(matches!(c.event().await, Event::Gone(_)));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

async fn a_stream_deleted_during_a_pull(broker: Broker) {
    broker.make_stream(json!({})).await;
    let mut c = broker.taker("c", json!({})).await;
    c.pull.request(1, LIMIT).await.unwrap();
    c.nobody_comes().await;
    broker.delete_stream(S).await.unwrap();
    assert!(matches!(c.event().await, Event::Gone(_)));
}

async fn a_pull_of_a_missing_consumer(broker: Broker) {
    broker.make_stream(json!({})).await;
    for (stream, consumer) in [(S, "c"), ("T", "c")] {
        let mut taker = Taker::open(&broker, stream, consumer).await;
        taker.pull.request(1, LIMIT).await.unwrap();
        assert!(matches!(taker.event().await, Event::Gone(_)), "{stream}");
    }
}

async fn a_pull_that_is_stopped_gets_nothing_more(broker: Broker) {
    broker.make_stream(json!({})).await;
    let mut c = broker.taker("c", json!({})).await;
    c.pull.request(5, LIMIT).await.unwrap();
    c.pull.stop().await;
    assert!(matches!(c.event().await, Event::Stopped));
    broker.put("a.b").await;
    let mut other = Taker::open(&broker, S, "c").await;
    let delivery = other.take().await;
    assert_eq!((delivery.sequence, delivery.deliveries), (1, 1), "nobody else was given it");
}

async fn an_unused_consumer_goes_away(broker: Broker) {
    broker.make_stream(json!({})).await;
    let fields = json!({ "durable_name": null, "inactive_threshold": ms(300) });
    broker.make_consumer("e", fields.clone()).await;
    broker.make_consumer("d", json!({ "inactive_threshold": ms(300) })).await;
    for name in ["e", "d"] {
        let what = format!("{name} is gone");
        eventually(&what, LIMIT, async || broker.consumer(S, name).await.unwrap().is_none().then_some(())).await;
    }
    broker.make_consumer("e", fields).await;
}

async fn a_used_consumer_stays(broker: Broker) {
    broker.make_stream(json!({})).await;
    let mut e = broker.taker("e", json!({ "durable_name": null, "inactive_threshold": ms(500) })).await;
    for _ in 0..4 {
        assert!(e.within(Duration::from_millis(300)).await.is_none());
    }
    broker.put("a.b").await;
    assert_eq!(e.done().await, 1);
}

async fn deliveries_carry_everything(broker: Broker) {
    broker.make_stream(json!({})).await;
    let headers = [("Nats-Msg-Id", "1"), ("x-name", "é \u{1F600}"), ("x-name", "again"), ("X-Name", "other")];
    broker.publish("a.b.c", &headers, b"\0\xff bytes").await.unwrap();
    let delivery = broker.taker("c", json!({})).await.take().await;
    assert_eq!((delivery.subject.as_str(), &delivery.body[..], delivery.sequence), ("a.b.c", &b"\0\xff bytes"[..], 1));
    let mut told: Vec<(&str, &str)> = delivery.headers.iter().collect();
    let mut wanted = headers.to_vec();
    told.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(told, wanted);
    let stored = broker.stored(S, 1).await.unwrap().unwrap();
    assert_eq!(stored.stored_at, delivery.stored_at);
}

async fn an_ephemeral_consumer_delivers(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.put("a.b").await;
    let mut e = broker.taker("e", json!({ "durable_name": null, "inactive_threshold": ms(5_000) })).await;
    broker.nak(&e.take().await, Duration::ZERO).await.unwrap();
    assert_eq!(e.take().await.deliveries, 2);
    assert_eq!(broker.consumer(S, "e").await.unwrap().unwrap().get("durable_name"), None);
}
