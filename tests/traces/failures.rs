//! Goal: what fails stays in its trace. Method: a message that is tried twice, and one that becomes a dead letter and is
//! replayed.

use crate::Services;

const PUBLISHED: &str = "publish test.traced.order.created";
const PROCESSED: &str = "process test.traced.order.created";

#[tokio::test(flavor = "multi_thread")]
async fn each_attempt_has_a_span_of_its_own() {
    let mut services = Services::start().await;
    let (id, _) = services.begin("retried").await;
    let trace = services
        .collector
        .trace(&id, &[(PROCESSED, 2), (PUBLISHED, 1), ("publish test.traced.payment.taken", 1)])
        .await;
    let published = trace.one(PUBLISHED);
    let mut attempts = trace.every(PROCESSED);
    attempts.sort_by_key(|span| span.attribute("messaging.nats.message.delivery_count").to_owned());
    let counts: Vec<_> = attempts.iter().map(|span| span.attribute("messaging.nats.message.delivery_count")).collect();
    assert_eq!(counts, ["1", "2"]);
    assert!(attempts.iter().all(|span| span.parent == published.id), "{attempts:#?}");
    assert_eq!((attempts[0].is_error, attempts[0].attribute("error.type")), (true, "transient"));
    assert_eq!((attempts[1].is_error, attempts[1].attribute("error.type")), (false, ""));
    let again = trace.one("publish test.traced.payment.taken");
    assert_eq!(again.parent, attempts[1].id, "the attempt that published it");
    services.collector.trace(&id, &[("nak test.traced.order.created", 1), ("ack test.traced.order.created", 1)]).await;
    services.stop().await;
    services.assert_nowhere("hunter2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_and_its_replay_stay_in_the_trace_of_the_message() {
    let mut services = Services::start().await;
    let (id, _) = services.begin("rejected").await;
    let letter = "process test.dlq.traced.*.order.*";
    let settled = "term test.traced.order.created";
    let names = [(PUBLISHED, 1), (PROCESSED, 1), (letter, 1), (settled, 1)];
    let trace = services.collector.trace(&id, &names).await;
    let published = trace.one(PUBLISHED).id.clone();
    assert_eq!(trace.one(PROCESSED).attribute("error.type"), "permanent");
    assert_eq!(trace.one(letter).parent, published, "the reader of dead letters");
    let settled = trace.one(settled);
    assert_eq!(settled.attribute("messaging.nats.dead_letter.reason"), "permanent");
    let (operator, _) = services.begin("replay").await;
    let trace = services.collector.trace(&id, &[(PROCESSED, 2), ("process test.traced.payment.taken", 1)]).await;
    assert!(trace.every(PROCESSED).iter().all(|span| span.parent == published), "the replay goes on in the trace");
    let replay = services.collector.trace(&operator, &[("replay test.traced.order.created", 1), ("request", 1)]).await;
    let replayed = replay.one("replay test.traced.order.created");
    assert_eq!((replayed.links.as_slice(), &replayed.parent), (&[published][..], &replay.one("request").id));
    services.stop().await;
    services.assert_nowhere("hunter2");
}
