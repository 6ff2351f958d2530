//! Goal: where a consumer begins.

use std::time::Duration;

use serde_json::json;

use crate::broker::{Broker, S};

cases! {
    all,
    new,
    last,
    last_of_a_filter,
    last_per_subject,
    by_start_sequence,
    by_start_sequence_behind_the_end,
    by_start_time,
    by_start_time_in_the_future,
}

/// Six messages on two subjects.
async fn six(broker: &Broker) {
    broker.make_stream(json!({})).await;
    for subject in ["a.b", "a.c", "a.b", "a.c", "a.b", "a.b"] {
        broker.put(subject).await;
    }
}

async fn all(broker: Broker) {
    six(&broker).await;
    let mut c = broker.taker("c", json!({ "deliver_policy": "all" })).await;
    broker.put("a.c").await;
    assert_eq!(c.all().await, [1, 2, 3, 4, 5, 6, 7]);
}

async fn new(broker: Broker) {
    six(&broker).await;
    let mut c = broker.taker("c", json!({ "deliver_policy": "new" })).await;
    c.nothing().await;
    broker.put("a.c").await;
    assert_eq!(c.all().await, [7]);
}

async fn last(broker: Broker) {
    six(&broker).await;
    let mut c = broker.taker("c", json!({ "deliver_policy": "last" })).await;
    broker.put("a.c").await;
    assert_eq!(c.all().await, [6, 7]);
}

async fn last_of_a_filter(broker: Broker) {
    six(&broker).await;
    let mut c = broker.taker("c", json!({ "deliver_policy": "last", "filter_subject": "a.c" })).await;
    broker.put("a.c").await;
    assert_eq!(c.all().await, [4, 7]);
}

async fn last_per_subject(broker: Broker) {
    six(&broker).await;
    let fields = json!({ "deliver_policy": "last_per_subject", "filter_subject": "a.*" });
    let mut c = broker.taker("c", fields).await;
    broker.put("a.c").await;
    broker.put("a.b").await;
    assert_eq!(c.all().await, [4, 6, 7, 8]);
}

async fn by_start_sequence(broker: Broker) {
    six(&broker).await;
    let fields = json!({ "deliver_policy": "by_start_sequence", "opt_start_seq": 3, "filter_subject": "a.c" });
    assert_eq!(broker.taker("c", fields).await.all().await, [4]);
    let fields = json!({ "deliver_policy": "by_start_sequence", "opt_start_seq": 5 });
    assert_eq!(broker.taker("d", fields).await.all().await, [5, 6]);
}

async fn by_start_sequence_behind_the_end(broker: Broker) {
    six(&broker).await;
    let fields = json!({ "deliver_policy": "by_start_sequence", "opt_start_seq": 100 });
    let mut c = broker.taker("c", fields).await;
    broker.put("a.c").await;
    assert_eq!(c.all().await, [0; 0], "it waits for the hundredth");
}

async fn by_start_time(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.put("a.b").await;
    let second = loop {
        let number = broker.put("a.b").await;
        let [first, this] = [broker.stored(S, 1).await, broker.stored(S, number).await];
        let (first, this) = (first.unwrap().unwrap(), this.unwrap().unwrap());
        if this.stored_at > first.stored_at {
            break this;
        }
    };
    broker.put("a.b").await;
    let fields = json!({ "deliver_policy": "by_start_time", "opt_start_time": second.stored_at.to_string() });
    let taken = broker.taker("c", fields).await.all().await;
    assert_eq!(taken, [second.sequence, second.sequence + 1]);
}

async fn by_start_time_in_the_future(broker: Broker) {
    six(&broker).await;
    let later = broker.stored(S, 6).await.unwrap().unwrap().stored_at + Duration::from_secs(3_600);
    let fields = json!({ "deliver_policy": "by_start_time", "opt_start_time": later.to_string() });
    let mut c = broker.taker("c", fields).await;
    c.nothing().await;
    broker.put("a.b").await;
    assert_eq!(c.all().await, [7], "what is stored later is delivered, however early");
}
