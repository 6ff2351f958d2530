//! Goal: a call with many messages links to each of them. Method: two messages of one request.

use std::collections::BTreeSet;

use crate::Services;

const PUBLISHED: &str = "publish test.traced.parcel.packed";

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_links_to_the_context_of_each_message() {
    let services = Services::start().await;
    let (id, _) = services.begin("batch").await;
    let acks = ("ack test.traced.parcel.packed", 2);
    let trace = services
        .collector
        .trace(&id, &[("request", 1), (PUBLISHED, 2), ("receive test.traced.parcel.packed", 2), acks])
        .await;
    let published: BTreeSet<_> = trace.every(PUBLISHED).iter().map(|span| span.id.clone()).collect();
    let request = &trace.one("request").id;
    assert!(trace.every(PUBLISHED).iter().all(|span| span.parent == *request));
    assert!(trace.every("process test.traced.parcel.packed").is_empty(), "the call belongs to no single message");
    let calls = services.collector.all();
    let call = calls.iter().find(|span| span.name == "process test.traced.parcel.packed").expect("the call");
    assert_eq!(call.links.iter().cloned().collect::<BTreeSet<_>>(), published);
    assert_eq!((call.parent.as_str(), call.attribute("messaging.batch.message_count")), ("", "2"));
    let sent = services.collector.trace(&call.trace, &[("publish test.traced.parcel.sent", 1)]).await;
    assert_eq!(sent.one("publish test.traced.parcel.sent").parent, call.id);
}
