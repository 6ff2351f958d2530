//! Goal: messages that come later, and messages that go earlier than their stream says.

use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use crate::broker::{Broker, ms, rejected};

cases! {
    a_delayed_message_comes_when_it_is_due: Schedules,
    a_later_schedule_of_the_subject_replaces_the_earlier_one: Schedules,
    a_schedule_of_the_past_comes_at_once: Schedules,
    a_stream_without_schedules_refuses_them: Schedules,
    a_message_lives_as_long_as_it_says: MessageTtl,
    a_stream_without_lifetimes_refuses_them: MessageTtl,
    a_lifetime_that_cannot_be_read_is_refused: MessageTtl,
}

/// An instant from now, as the header has it.
fn at(delay: Duration) -> String {
    let due = SystemTime::now() + delay;
    let since = due.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    format!("@at {}", utc(since))
}

/// RFC 3339 with milliseconds, by the rule of days and eras.
fn utc(since: Duration) -> String {
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, turn) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + era * 400 + turn;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

async fn schedules(broker: &Broker) {
    broker.make_stream(json!({ "allow_msg_schedules": true, "allow_msg_ttl": true })).await;
}

async fn schedule(broker: &Broker, subject: &str, delay: Duration, body: &[u8]) {
    let headers = [("Nats-Schedule", &*at(delay)), ("Nats-Schedule-Target", "a.target"), ("x-mine", "kept")];
    broker.publish(subject, &headers, body).await.unwrap();
}

async fn a_delayed_message_comes_when_it_is_due(broker: Broker) {
    schedules(&broker).await;
    let mut c = broker.taker("c", json!({ "filter_subject": "a.target" })).await;
    let start = Instant::now();
    schedule(&broker, "a.later", Duration::from_millis(700), b"later").await;
    c.nothing().await;
    let delivery = c.take().await;
    let took = start.elapsed().as_millis();
    assert!((650..2_500).contains(&took), "{took} ms");
    assert_eq!((delivery.subject.as_str(), &delivery.body[..]), ("a.target", &b"later"[..]));
    assert_eq!(delivery.headers.get("x-mine"), Some("kept"));
    broker.wait_for(&[delivery.sequence]).await;
}

async fn a_later_schedule_of_the_subject_replaces_the_earlier_one(broker: Broker) {
    schedules(&broker).await;
    let mut c = broker.taker("c", json!({ "filter_subject": "a.target" })).await;
    schedule(&broker, "a.later", Duration::from_millis(300), b"one").await;
    schedule(&broker, "a.later", Duration::from_millis(600), b"two").await;
    assert_eq!(&c.take().await.body[..], b"two");
    c.nothing().await;
}

async fn a_schedule_of_the_past_comes_at_once(broker: Broker) {
    schedules(&broker).await;
    let mut c = broker.taker("c", json!({ "filter_subject": "a.target" })).await;
    let headers = [("Nats-Schedule", "@at 2026-01-02T03:04:05Z"), ("Nats-Schedule-Target", "a.target")];
    broker.publish("a.later", &headers, b"late").await.unwrap();
    assert_eq!(&c.take().await.body[..], b"late");
}

async fn a_stream_without_schedules_refuses_them(broker: Broker) {
    broker.make_stream(json!({})).await;
    let headers = [("Nats-Schedule", &*at(Duration::from_secs(1))), ("Nats-Schedule-Target", "a.target")];
    rejected(broker.publish("a.later", &headers, b"x").await, 10188, "message schedules");
}

async fn a_message_lives_as_long_as_it_says(broker: Broker) {
    broker.make_stream(json!({ "allow_msg_ttl": true })).await;
    broker.put("a.b").await;
    broker.put_with("a.b", "Nats-TTL", "1s").await.unwrap();
    broker.put_with("a.b", "Nats-TTL", "never").await.unwrap();
    assert_eq!(broker.held().await, [1, 2, 3]);
    broker.wait_for(&[1, 3]).await;
}

async fn a_stream_without_lifetimes_refuses_them(broker: Broker) {
    broker.make_stream(json!({ "max_age": ms(60_000) })).await;
    rejected(broker.put_with("a.b", "Nats-TTL", "1s").await, 10166, "per-message TTL is disabled");
}

async fn a_lifetime_that_cannot_be_read_is_refused(broker: Broker) {
    broker.make_stream(json!({ "allow_msg_ttl": true })).await;
    for ttl in ["soon", "100ms", "-1s"] {
        rejected(broker.put_with("a.b", "Nats-TTL", ttl).await, 10165, "invalid per-message TTL");
    }
}
