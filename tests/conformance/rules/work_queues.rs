//! Goal: which consumers a work queue takes.

use serde_json::json;

use crate::broker::{Broker, S, consumer, refused};

cases! {
    filters_that_overlap_are_refused,
    a_second_consumer_without_a_filter_is_refused,
    filters_beside_each_other_are_fine,
    only_everything_can_be_delivered,
    a_filter_is_free_again_when_its_consumer_is_gone,
}

const OVERLAP: &str = "filtered consumer not unique on workqueue stream";
const UNFILTERED: &str = "multiple non-filtered consumers not allowed on workqueue stream";

async fn queue(broker: &Broker) {
    broker.make_stream(json!({ "retention": "workqueue" })).await;
}

async fn filters_that_overlap_are_refused(broker: Broker) {
    queue(&broker).await;
    broker.make_consumer("c", json!({ "filter_subject": "a.b" })).await;
    for filter in ["a.b", "a.*", "a.>"] {
        let other = consumer("d", json!({ "filter_subject": filter }));
        refused(broker.create_consumer(S, other).await, 10100, OVERLAP);
    }
    let many = consumer("d", json!({ "filter_subjects": ["a.c", "*.b"] }));
    refused(broker.create_consumer(S, many).await, 10100, OVERLAP);
    // One without a filter reads everything.
    refused(broker.create_consumer(S, consumer("d", json!({}))).await, 10099, UNFILTERED);
}

async fn a_second_consumer_without_a_filter_is_refused(broker: Broker) {
    queue(&broker).await;
    broker.make_consumer("c", json!({})).await;
    refused(broker.create_consumer(S, consumer("d", json!({}))).await, 10099, UNFILTERED);
    let filtered = consumer("d", json!({ "filter_subject": "a.b" }));
    refused(broker.create_consumer(S, filtered).await, 10100, OVERLAP);
    broker.make_consumer("c", json!({})).await;
}

async fn filters_beside_each_other_are_fine(broker: Broker) {
    queue(&broker).await;
    let mut b = broker.taker("b", json!({ "filter_subject": "a.b" })).await;
    let mut c = broker.taker("c", json!({ "filter_subject": "a.c.>" })).await;
    for subject in ["a.b", "a.c.d", "a.d"] {
        broker.put(subject).await;
    }
    assert_eq!((b.all().await, c.all().await), (vec![1], vec![2]));
    broker.wait_for(&[3]).await;
}

async fn only_everything_can_be_delivered(broker: Broker) {
    queue(&broker).await;
    let new = consumer("c", json!({ "deliver_policy": "new" }));
    refused(broker.create_consumer(S, new).await, 10101, "consumer must be deliver all on workqueue stream");
}

async fn a_filter_is_free_again_when_its_consumer_is_gone(broker: Broker) {
    queue(&broker).await;
    broker.make_consumer("c", json!({ "filter_subject": "a.b" })).await;
    broker.delete_consumer(S, "c").await.unwrap();
    broker.make_consumer("d", json!({ "filter_subject": "a.*" })).await;
}
